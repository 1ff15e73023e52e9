"""Descriptions of labels and of some models on the Hub, and names for LABEL_0 and its like.

Words for people only. What a model's scores mean is decided by its own files (folder.py).
"""

import re
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

ADJECTIVES = {
    "toxic": "toxic",
    "severe toxic": "severely toxic",
    "obscene": "obscene",
    "threat": "threatening",
    "insult": "insulting",
    "identity hate": "hateful",
}
"""“Likely …”, by a label's name."""

# What names of classes that speak against a comment contain, and how others begin.
HARM = (
    "abus|aggress|attack|bully|curs|degrad|derog|explicit|harass|harm|hate|hatred|hostil|insult|"
    "negative|obscen|offens|porn|profan|racis|rude|scam|sexis|sexual|slur|spam|threat|toxic|troll|"
    "violen|vulgar"
)
HARMFUL = re.compile(HARM, re.I)
HARMLESS = re.compile(
    rf"(?:no|not|non|never|neither|without)\b|(?:not?|non|un|in)(?:{HARM})|none$|ham$|harmless|"
    r"clean|normal|neutral|positive|ok$|okay|fine$|safe|friendly|civil|polite|accept|good|benign|"
    r"legit|other$",
    re.I,
)


@dataclass(frozen=True)
class Listed:
    """A model on the Hub that the page lists.

    task: what it scores, in a few words. languages: of its training data.
    names: what its card calls the labels, where its config does not, or shortens them.
    """

    task: str
    description: str
    languages: str = "English"
    names: Mapping[str, str] = field(default_factory=dict)


SENTIMENT = {"LABEL_0": "negative", "LABEL_1": "neutral", "LABEL_2": "positive"}
HUB_MODELS = {
    "andyqin18/finetuned-bert-uncased": Listed(
        "toxicity: 6 labels, which can hold together",
        "bert-base-uncased, fine-tuned on comments from the Jigsaw 2018 challenge. The six labels "
        "of the embedded model, with an encoder five times its size. Uncalibrated.",
        names=dict(zip((f"LABEL_{index}" for index in range(6)), MEANINGS, strict=True)),
    ),
    "distilbert/distilbert-base-uncased-finetuned-sst-2-english": Listed(
        "sentiment: one of 2 classes",
        "DistilBERT, fine-tuned on sentences from film reviews (SST-2): whether a sentence is "
        "positive or negative. English.",
        names={"NEGATIVE": "negative", "POSITIVE": "positive"},
    ),
    "cardiffnlp/twitter-roberta-base-sentiment": Listed(
        "sentiment: one of 3 classes",
        "RoBERTa, pretrained on 58 million tweets and fine-tuned for the sentiment task of "
        "TweetEval: negative, neutral or positive. English.",
        names=SENTIMENT,
    ),
    "finiteautomata/bertweet-base-sentiment-analysis": Listed(
        "sentiment: one of 3 classes",
        "BERTweet, a RoBERTa for English tweets, fine-tuned on 40,000 tweets of SemEval 2017: "
        "negative, neutral or positive.",
        names={"NEG": "negative", "NEU": "neutral", "POS": "positive"},
    ),
}


def card_label(label: str, model: str) -> str:
    """A label as its model's card calls it, where it is listed here ("LABEL_0" → "toxic")."""
    listed = HUB_MODELS.get(model.partition("@")[0])
    return listed.names.get(label, label) if listed else label


def label_name(label: str, model: str = "") -> str:
    """A label in words: as the card calls it, or itself ("severe_toxic" → "severe toxic")."""
    return card_label(label, model).replace("_", " ")


def adjective(name: str) -> str:
    """“threatening” for “threat”; empty for labels that are not known here."""
    return ADJECTIVES.get(name, "")


def is_harmful(name: str, single_label: bool) -> bool:
    """Whether a label speaks against a comment, by its name in words.

    A label that may be missing is a flag unless it is called harmless. A class is what every
    comment has, so it must be called harmful.
    """
    if HARMLESS.match(name):
        return False
    return not single_label or bool(HARMFUL.search(name))


def other_task(model: str) -> str:
    """What a listed model judges instead of toxicity; empty for others."""
    listed = HUB_MODELS.get(model.partition("@")[0])
    sentiment = listed and not set(listed.names.values()) & set(MEANINGS)
    return "sentiment, not toxicity" if sentiment else ""


def definition(name: str) -> str:
    """What a comment with the label of this name is, or does; empty for unknown labels."""
    return MEANINGS.get(name.replace(" ", "_"), "")
