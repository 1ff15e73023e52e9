"""A model's labels → Perspective's attributes."""

from collections.abc import Sequence

# The six of Jigsaw's 2018 data, and the names that other toxicity models give them.
ATTRIBUTES_OF_LABEL = {
    "toxic": ("TOXICITY",),
    "toxicity": ("TOXICITY",),
    "severe_toxic": ("SEVERE_TOXICITY",),
    "severe_toxicity": ("SEVERE_TOXICITY",),
    "obscene": ("PROFANITY", "OBSCENE"),
    "profanity": ("PROFANITY", "OBSCENE"),
    "threat": ("THREAT",),
    "insult": ("INSULT",),
    "identity_hate": ("IDENTITY_ATTACK",),
    "identity_attack": ("IDENTITY_ATTACK",),
    "sexual_explicit": ("SEXUALLY_EXPLICIT",),
    "sexually_explicit": ("SEXUALLY_EXPLICIT",),
}
# These have an _EXPERIMENTAL twin with the same score: what was experimental in one language was
# often ready in another.
TWINNED = {"TOXICITY", "SEVERE_TOXICITY", "PROFANITY", "THREAT", "INSULT", "IDENTITY_ATTACK"}

# What Perspective scored. Those that the model has no label for are refused by name, or left out
# where the request sets dropUnsupportedAttributes.
PERSPECTIVE = frozenset(
    [
        *(name for names in ATTRIBUTES_OF_LABEL.values() for name in names),
        *(f"{name}_EXPERIMENTAL" for name in TWINNED),
        *("ATTACK_ON_AUTHOR", "ATTACK_ON_COMMENTER", "ATTACK_ON_PUBLISHER", "INCOHERENT"),
        *("INFLAMMATORY", "LIKELY_TO_REJECT", "OFF_TOPIC", "SPAM", "TOXICITY_FAST"),
        *("UNSUBSTANTIAL", "SEXUALLY_EXPLICIT_EXPERIMENTAL"),
    ]
    + [
        name + twin
        for twin in ("", "_EXPERIMENTAL")
        for name in (
            *("AFFINITY", "ALIENATION", "COMPASSION", "CONSTRUCTIVE", "CURIOSITY", "FEARMONGERING"),
            *("FLIRTATION", "GENERALIZATION", "MORAL_OUTRAGE", "NUANCE", "PERSONAL_STORY"),
            *("POWER_APPEAL", "REASONING", "RESPECT", "SCAPEGOATING"),
        )
    ]
)


def attribute_labels(labels: Sequence[str]) -> dict[str, str]:
    """Map each attribute that a model with these labels can score to its label; can be empty."""
    label_of: dict[str, str] = {}
    for label in labels:
        for attribute in ATTRIBUTES_OF_LABEL.get(label, ()):
            label_of[attribute] = label
            if attribute in TWINNED:
                label_of[f"{attribute}_EXPERIMENTAL"] = label
    return label_of
