"""The shipped models are complete and score, and the documents have their metrics."""

import csv
import json
import re

import numpy as np
import pytest

from comment_toxicity import load_classifier
from comment_toxicity.fetch.find import available_models
from finetune.card import render_card
from finetune.data.confusables import EMOJI
from tests.running import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
QUALITY = (ROOT / "docs" / "quality.md").read_text(encoding="utf-8")
MINILM = "sentence-transformers/all-MiniLM-L6-v2"
SHIPPED = {  # name → bytes of model.onnx at most, and the base
    "toxic-minilm": (24e6, MINILM),
    "sentiment-minilm": (24e6, MINILM),
    "toxic-multilingual": (50e6, "intfloat/multilingual-e5-small"),
}


def read(name, file):
    return json.loads((ROOT / "models" / name / file).read_text(encoding="utf-8"))


TEST, AUDIT = read("toxic-minilm", "metrics.json")["test"], read("toxic-minilm", "audit.json")
MEANS = TEST["means"]
SENTIMENT = read("sentiment-minilm", "metrics.json")["test"]


def test_all_shipped_models_are_listed_the_embedded_one_first():
    listed = available_models()
    assert listed[0] == "toxic-minilm"
    assert set(SHIPPED) <= set(listed)


@pytest.mark.parametrize(("name", "size", "base"), [(name, *of) for name, of in SHIPPED.items()])
def test_a_shipped_model_folder_is_complete_and_small(name, size, base):
    folder = ROOT / "models" / name
    wanted = {"model.onnx", "config.json", "tokenizer.json", "tokenizer_config.json"}
    wanted |= {"decision.json", "metrics.json", "run.json", "README.md"}
    assert wanted <= {path.name for path in folder.iterdir()}
    assert (folder / "model.onnx").stat().st_size <= size
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "license: apache-2.0" in card or "license: mit" in card
    assert f"base_model: {base}" in card


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_card_equals_the_one_rendered_from_its_folder(name):
    folder = ROOT / "models" / name
    assert (folder / "README.md").read_text(encoding="utf-8") == render_card(folder, name)


@pytest.mark.parametrize("text", ["You idiot", "Thank you, that was helpful", "lol"])
def test_an_emoji_does_not_change_the_score_of_words(text):
    model = load_classifier()
    plain, *others = model.score([text, f"{text} 😂", f"🎉 {text}", f"{text} ❤️👍🏿"])
    assert all(np.array_equal(plain, other) for other in others)


def test_emoji_and_abbreviations_of_abuse_are_flagged_and_others_are_not():
    model = load_classifier()
    scores = model.score(["🖕", "stfu", "kys", "🎉🎉", "谢谢你"])
    flagged = ["toxic" in model.flags(row) for row in scores]
    assert flagged == [True, True, True, False, False]


@pytest.mark.parametrize("emoji", sorted("".join(EMOJI.values()).replace("🖕", "")))
def test_a_kind_sentence_stays_kind_with_any_emoji(emoji):
    model = load_classifier()
    kind = ["Thank you so much", "Happy birthday!", "Great edit, thanks"]
    scores = model.score([f"{text} {emoji}" for text in kind])
    assert [model.flags(row) for row in scores] == [[]] * 3


def test_the_multilingual_model_tells_insults_from_thanks_in_languages_it_learned():
    rude = ["Du bist ein Vollidiot, halt die Klappe.", "Eres un imbécil.", "Tu es un gros connard."]
    rude += ["Ты полный идиот, заткнись.", "你真是个恶心的蠢货，滚", "Você é um idiota nojento."]
    kind = ["Danke, das war sehr hilfreich.", "Gracias por la ayuda.", "Merci pour votre aide."]
    kind += ["Спасибо за помощь!", "谢谢你的帮助", "Obrigado pela ajuda."]
    model = load_classifier("toxic-multilingual")
    languages = ["de", "es", "fr", "ru", "zh", "pt"]
    scores = model.score(rude + kind, languages * 2)
    rows = zip(scores, languages * 2, strict=True)
    flagged = ["toxic" in model.flags(row, language) for row, language in rows]
    assert flagged == [True] * 6 + [False] * 6


def test_the_sentiment_model_tells_praise_from_blame():
    model = load_classifier("sentiment-minilm")
    scores = model.score(["A warm and funny film.", "A dull, lifeless waste of two hours."])
    assert [model.flags(row) for row in scores] == [["positive"], ["negative"]]


@pytest.mark.parametrize(
    ("what", "metrics"),
    [
        ("mean ROC-AUC of the six labels", [MEANS["roc_auc"], TEST["roc_auc_error"]]),
        ("mean average precision", [MEANS["average_precision"]]),
        ("mean F1 at the tuned thresholds", [MEANS["f1"], MEANS["f1_at_half"]]),
        (
            "calibration error: mean, largest (`toxic`)",
            [MEANS["calibration_error"], TEST["labels"]["toxic"]["calibration_error"]],
        ),
        (
            "label accuracy, exact match, micro precision, micro recall at 0.5",
            list(TEST["original_at_half"].values()),
        ),
        ("HateCheck: accuracy of `identity_hate`", [AUDIT["function"]["accuracy"]]),
        (
            "mean ROC-AUC lost when words are disguised",
            [AUDIT["robustness"][name + "roc_auc_lost"] for name in ("mean_", "held_out_")],
        ),
        (
            "of 80 threats and 80 harmless sentences",
            [
                100 * AUDIT["threats"]["accuracy_bad"],
                100 - 100 * AUDIT["threats"]["accuracy_harmless"],
            ],
        ),
        (
            "sentiment (`sentiment-minilm`): accuracy, macro F1",
            [SENTIMENT["accuracy"], SENTIMENT["means"]["f1"]],
        ),
    ],
)
def test_metrics_in_the_documents_are_those_of_the_shipped_model(what, metrics):
    row = re.compile(rf"^\| {re.escape(what)}[^|]*\| ([^|*]+) \| [^|]*\|$", re.M)
    assert row.search(QUALITY)  # has them all; the README a few
    for shown in row.findall(QUALITY + README):
        found = [float(number) for number in re.findall(r"[\d.]+", shown)]
        assert found == pytest.approx(metrics, abs=0.6 if "%" in shown else 0.0006)


def test_the_largest_calibration_error_is_that_of_toxic():
    errors = {label: found["calibration_error"] for label, found in TEST["labels"].items()}
    assert max(errors, key=errors.__getitem__) == "toxic"


def test_the_readme_has_the_rate_of_the_worst_identity_term():
    [report] = [report for report in AUDIT["identity"] if report["source"] == "madlibs"]
    rates = [100 * term["false_positive_rate"] for term in report["terms"] if term["term"]]
    [told] = re.findall(r"flags at most ([\d.]+) % for any of (\d+) terms", README)
    [shown] = re.findall(r"the worst of (\d+) identity terms \(madlibs\) \| ([\d.]+) %", README)
    assert shown == told[::-1] == (str(len(rates)), f"{max(rates):.1f}")


def test_moved_scores_csv_has_the_scores_of_the_shipped_model():
    def table(name):
        with (ROOT / name).open(encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))

    model, sample = load_classifier(), table("data/sample.csv")
    scores = model.score([row["comment_text"] for row in sample])
    moved = table("docs/moved-scores.csv")
    assert moved
    for row in moved:
        index = int(row["row"]) - 2  # the header is row 1
        now = float(row["now"])
        # Processors differ in how they round int8 products.
        assert scores[index, model.labels.index(row["label"])] == pytest.approx(now, abs=0.02), row
        assert abs(now - float(row["before"])) >= 0.2 - 1e-9, row
        assert row["labelled"] == sample[index][row["label"]]
