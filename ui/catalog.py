"""Descriptions of labels and of some models on the Hub, and names for LABEL_0 and its like.

Words for people only. What a model's scores mean is decided by its own files (folder.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

MEANINGS = {
    "toxic": "rude or hostile enough to make people leave the conversation",
    "severe_toxic": "so hateful or aggressive that hardly anybody would stay",
    "obscene": "coarse or sexual swear words, used in a hostile or crude way",
    "threat": "announces, or wishes, harm to somebody",
    "insult": "demeans a person or a group",
    "identity_hate": "attacks people for what they are: origin, religion, gender, orientation, "
    "disability",
}
"""What a comment with the label is, or does; of the Jigsaw labels."""


@dataclass(frozen=True)
class Listed:
    """A model on the Hub that the page lists.

    names: what its card calls the labels, where its config does not, or shortens them.
    """

    description: str
    names: Mapping[str, str] = field(default_factory=dict)


SENTIMENT = {"LABEL_0": "negative", "LABEL_1": "neutral", "LABEL_2": "positive"}
HUB_MODELS = {
    "andyqin18/finetuned-bert-uncased": Listed(
        "bert-base-uncased, fine-tuned on comments from the Jigsaw 2018 challenge. The six labels "
        "of the embedded model, with an encoder five times its size. Uncalibrated.",
        dict(zip((f"LABEL_{index}" for index in range(6)), MEANINGS, strict=True)),
    ),
    "distilbert/distilbert-base-uncased-finetuned-sst-2-english": Listed(
        "DistilBERT, fine-tuned on sentences from film reviews (SST-2): whether a sentence is "
        "positive or negative. English.",
        {"NEGATIVE": "negative", "POSITIVE": "positive"},
    ),
    "cardiffnlp/twitter-roberta-base-sentiment": Listed(
        "RoBERTa, pretrained on 58 million tweets and fine-tuned for the sentiment task of "
        "TweetEval: negative, neutral or positive. English.",
        SENTIMENT,
    ),
    "finiteautomata/bertweet-base-sentiment-analysis": Listed(
        "BERTweet, a RoBERTa for English tweets, fine-tuned on 40,000 tweets of SemEval 2017: "
        "negative, neutral or positive.",
        {"NEG": "negative", "NEU": "neutral", "POS": "positive"},
    ),
}


def card_label(label: str, model: str) -> str:
    """A label as its model's card calls it, where it is listed here ("LABEL_0" → "toxic")."""
    listed = HUB_MODELS.get(model.partition("@")[0])
    return listed.names.get(label, label) if listed else label


def label_name(label: str, model: str = "") -> str:
    """A label in words: as the card calls it, or itself ("severe_toxic" → "severe toxic")."""
    return card_label(label, model).replace("_", " ")


def definition(name: str) -> str:
    """What a comment with the label of this name is, or does; empty for unknown labels."""
    return MEANINGS.get(name.replace(" ", "_"), "")
