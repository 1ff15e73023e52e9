"""Calibrated toxicity scores for comments.

from comment_toxicity import load_classifier

classifier = load_classifier()
classifier.score(["Thank you!", "You idiot."])      # float32 (texts × labels)
"""

from comment_toxicity.classifier import Classifier, load_classifier
from comment_toxicity.errors import DataError, ModelError, SettingsError, UserError

__all__ = [
    "Classifier",
    "DataError",
    "ModelError",
    "SettingsError",
    "UserError",
    "load_classifier",
]
