"""Stand-ins for models, and what a visitor sees of a page that runs without a browser."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Element

from comment_toxicity.decision import Decision, LabelDecision, Weights

ROOT = Path(__file__).parent.parent.parent
SCRIPT, PAGES = ROOT / "ui" / "navigation.py", ROOT / "pages"
THRESHOLDS = {
    "toxic": 0.5,
    "severe_toxic": 0.3,
    "obscene": 0.5,
    "threat": 0.2,
    "insult": 0.5,
    "identity_hate": 0.3,
}
SCORES = [0.81, 0.02, 0.31, 0.001, 0.93, 0.12]


class FixedScores:
    """Scores every text the same, and remembers the texts."""

    activation = "sigmoid"
    calibrated = True

    def __init__(self, thresholds=THRESHOLDS, scores=SCORES, name="a"):
        self.name = name
        self.labels = list(thresholds)
        self.scores = scores
        self.asked = []
        self.folder = SimpleNamespace(path=Path("nowhere"), weights=Path("nowhere/model.onnx"))
        decisions = {label: LabelDecision(threshold=limit) for label, limit in thresholds.items()}
        weights = Weights("model.onnx", "0") if self.calibrated else None
        self.decision = Decision(self.activation, decisions, weights, "best-f1", 1000)
        self.thresholds = {name: limit for name, limit in thresholds.items() if limit is not None}
        self.single_label = self.activation == "softmax"

    reads = ()

    def read(self, text):
        return text

    def languages(self, texts):
        return [None] * len(texts)

    def in_language(self, language):
        return self

    def score(self, texts, languages=None):
        self.asked += texts
        blank = [np.nan] * len(self.labels)
        return np.array([self.scores if t.strip() else blank for t in texts], dtype=np.float32)

    def score_beginnings(self, texts, most=0, between=None, languages=None):
        return self.score(texts), [len(text or "") for text in texts]

    def beginning(self, text, most=0):
        return text


class Hub:
    """Answers as the Hub does about one model."""

    def __init__(self, **info):
        self.info = {
            "siblings": [
                SimpleNamespace(rfilename="config.json", size=500),
                SimpleNamespace(rfilename="model.safetensors", size=400_000_000),
            ],
            "config": {"architectures": ["BertForSequenceClassification"]},
        } | info

    def model_info(self, repo, **_):
        return SimpleNamespace(**self.info)


def hub_file(name, size=1):
    return SimpleNamespace(rfilename=name, size=size)


class Choice(FixedScores):
    """A single-label model."""

    activation = "softmax"
    calibrated = False

    def __init__(self, name="choice"):
        super().__init__({"negative": None, "positive": None}, [0.3, 0.7], name)


class WordCounts(FixedScores):
    """Its first score rises with each occurrence of its word in the text."""

    def __init__(self, word, name="a", also=0.0):
        super().__init__({"toxic": 0.5, "insult": 0.5}, [also, 0.1], name)
        self.word = word

    def score(self, texts, languages=None):
        found = super().score(texts)
        found[:, 0] += [min(0.9, 0.3 * text.count(self.word)) for text in texts]
        return found


def visit(page="score", framed=False, **address):
    """Open a page as a new visitor: by itself, or within the frame from which others are open.

    address: the query parameters. The frame is needed where a page links to another.
    """
    if not framed and page != "models":
        return AppTest.from_file(PAGES / f"{page}.py", default_timeout=60).run()
    app = AppTest.from_file(SCRIPT, default_timeout=60)
    app.switch_page(f"../pages/{page}.py")
    app.query_params.update(address)
    return app.run()


def button(page, label):
    """The button with this label."""
    return next(each for each in page.button if each.label == label)


def html(page):
    """All HTML that the page wrote itself, without its style sheet."""
    blocks = (block.proto.body for block in page.get("html"))
    return "".join(body for body in blocks if not body.startswith("<style>"))


def shown(page):
    """Everything a visitor can read outside the text areas."""
    elements = [node for node in page if isinstance(node, Element) and node.type != "text_area"]
    assert len(elements) > 3
    return "\n".join(str(element.proto) for element in elements)
