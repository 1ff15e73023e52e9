import json
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas
import pytest

import comment_toxicity
from comment_toxicity import ModelError, load_classifier
from comment_toxicity.decision import Decision, LabelDecision
from tests.running import ROOT

LABELS = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]
TEXTS = [
    "thanks for the help",
    "you stupid idiot",
    "I will find you and kill you! " * 20,
    "go away",
    "please edit this page, it is rubbish",
]


def test_the_public_names_are_these_six():
    assert comment_toxicity.__all__ == [
        "Classifier",
        "DataError",
        "ModelError",
        "SettingsError",
        "UserError",
        "load_classifier",
    ]


def test_scores_are_float32_with_one_probability_per_text_and_label(tiny):
    scores = tiny.score(TEXTS)
    assert scores.shape == (5, 6)
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()
    assert np.ptp(scores, axis=0).min() > 0.01  # the texts tell apart
    assert tiny.labels == LABELS


def test_neither_torch_nor_transformers_nor_pandas_is_imported_to_score(exported):
    program = (
        "import sys; from comment_toxicity import load_classifier;"
        "load_classifier(sys.argv[1]).score(['you', 'idiot']);"
        "print([m for m in ('torch', 'transformers', 'pandas', 'pyarrow', 'huggingface_hub')"
        " if m in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, str(exported)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert answer.stdout == "[]\n"


@pytest.mark.parametrize("folder", ["exported", "tiny_base"])
def test_scores_do_not_depend_on_the_batch(folder, request):
    model = load_classifier(request.getfixturevalue(folder))
    together = model.score(TEXTS)
    alone = np.concatenate([model.score([text]) for text in TEXTS])
    backwards = model.score(TEXTS[::-1])[::-1]
    assert np.array_equal(together, alone)
    assert np.array_equal(together, backwards)


def test_onnx_and_torch_agree(tiny, tiny_base):
    difference = tiny.logits(TEXTS[:2]) - load_classifier(tiny_base).logits(TEXTS[:2])
    assert np.abs(difference).max() < 0.5  # int8, and 16 wide: coarse


@pytest.mark.parametrize("blank", [None, math.nan, "", " \t\n\u2003"])
def test_a_blank_text_gets_a_row_of_nan_and_does_not_stop_the_batch(tiny, blank):
    scores = tiny.score(["go away", blank, "thanks"])
    assert np.isnan(scores[1]).all()
    assert np.array_equal(scores[[0, 2]], tiny.score(["go away", "thanks"]))
    assert tiny.flags(scores[1]) == []


def test_a_shuffled_pandas_column_is_scored_in_its_order(tiny):
    column = pandas.Series(TEXTS, index=[3, 0, 4, 1, 2])
    assert np.array_equal(tiny.score(column), tiny.score(TEXTS))


def test_no_texts_give_no_rows(tiny):
    assert tiny.score([]).shape == (0, 6)
    assert np.isnan(tiny.score([None])).all()


@pytest.mark.parametrize("folder", ["exported", "tiny_base"])
@pytest.mark.parametrize(
    "text",
    [
        "\0",
        "kill\0you",
        "\x01\x02\x7f",
        "\ud83d idiot \ude00",
        "😀👨‍👩‍👧",
        "a\u0301" * 50,
        "\u202eidiot",
        "\ufeff",
    ],
)
def test_strange_characters_are_scored(folder, text, request):
    scores = load_classifier(request.getfixturevalue(folder)).score([text, "go away"])
    assert np.isfinite(scores).all()


def test_a_single_string_is_refused_as_a_list_of_its_letters(tiny):
    with pytest.raises(TypeError, match="list"):
        tiny.score("idiot")


def test_a_long_text_is_read_to_its_end_in_overlapping_windows(tiny):
    filler = "the page is good " * 40
    windows = tiny.windows(filler + "kill")
    assert len(windows) > 5
    assert {len(ids) for ids in windows[:-1]} == {32}
    whole = tiny.windows("the page is good")[0][1:-1].tolist() * 40
    for number, ids in enumerate(windows[:-1]):
        start = number * 23  # 30 tokens beside [CLS] and [SEP], a quarter of them again
        assert ids[1:-1].tolist() == whole[start : start + 30]
    assert windows[-1][-2] == tiny.windows("kill")[0][1]


def test_a_long_text_gets_the_highest_logit_of_its_windows(tiny):
    text = "good people " * 30 + "kill the idiot " * 30
    windows = tiny.windows(text)
    by_window = tiny._engine.logits(windows)
    assert len(windows) > 2
    assert np.array_equal(tiny.logits([text])[0], by_window.max(axis=0))


def test_a_text_tokenized_in_pieces_has_the_tokens_of_the_whole(tiny, monkeypatch):
    text = "thanks, you idiot!\nthe article is bad " * 30
    whole = tiny.windows(text)
    monkeypatch.setattr("comment_toxicity.windows.PIECE", 100)
    assert all(map(np.array_equal, whole, tiny.windows(text)))


def test_a_megabyte_is_scored_whole(tiny):
    words = np.random.default_rng(1).permutation(["you", "idiot", "thanks", "page"] * 50_000)
    scores = tiny.score([" ".join(words)[:1_000_000], "x" * 1_000_000, "!" * 1_000_000])
    assert np.isfinite(scores).all()


def test_threads_can_share_a_classifier(tiny):
    expected = tiny.score(TEXTS)

    def score(turn):
        order = np.random.default_rng(turn).permutation(len(TEXTS))
        size = 1 + turn % len(TEXTS)
        return order[:size], tiny.score([TEXTS[i] for i in order[:size]])

    with ThreadPoolExecutor(8) as pool:
        for order, scores in pool.map(score, range(64)):
            assert np.array_equal(scores, expected[order])


def test_a_forked_process_scores_with_threads_of_its_own(exported):
    program = (
        "import os, signal, sys, comment_toxicity\n"
        "model = comment_toxicity.load_classifier(sys.argv[1])\n"
        "texts = [str(number) for number in range(200)]\n"
        "before = model.score(texts).tobytes()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    signal.alarm(20)  # without threads it would wait for ever\n"
        "    os._exit(0 if model.score(texts).tobytes() == before else 1)\n"
        "sys.exit(os.waitpid(child, 0)[1])"
    )
    command = [sys.executable, "-W", "ignore", "-c", program, str(exported)]
    assert subprocess.run(command, cwd=ROOT).returncode == 0


def test_flags_are_the_labels_at_or_above_their_thresholds(tiny):
    scores = np.array([0.4, 0.39, 0.9, 0, 0, 1], dtype=np.float32)
    assert tiny.flags(scores) == ["toxic", "obscene", "identity_hate"]
    assert tiny.thresholds == dict.fromkeys(LABELS, 0.4)


def test_calibration_is_applied_label_by_label(tiny):
    logits = tiny.logits(TEXTS).astype(np.float64)
    slopes = 0.5 + 0.1 * np.arange(6)
    expected = 1 / (1 + np.exp(-(slopes * logits - 0.2)))
    assert tiny.calibrated
    assert np.allclose(tiny.score(TEXTS), expected, atol=1e-7)


def test_softmax_rows_sum_to_one_and_blank_ones_stay_nan():
    decision = Decision.uncalibrated(["bad", "good"], "softmax")
    rows = decision.apply(np.array([[1.0, 3.0], [np.nan, np.nan], [-900.0, 900.0]]))
    assert np.allclose(rows[[0, 2]].sum(axis=1), 1)
    assert np.isnan(rows[1]).all()


def test_the_sigmoid_does_not_overflow():
    decision = Decision("sigmoid", {"toxic": LabelDecision()})
    assert decision.apply(np.array([[-1e4], [0.0], [1e4]])).tolist() == [[0.0], [0.5], [1.0]]


EXPANDING = "\ufdfa"  # three bytes, which normalizers write as 18 letters


def test_a_bound_keeps_the_beginning_of_a_text_and_says_where_it_ends():
    model = load_classifier()
    for text in ("They have read the page. " * 100, f"{EXPANDING * 7}! " * 50, "no\n" * 30_000):
        [cut] = model.cut([text], 300)
        beginning = model.beginning(text, 300)
        assert len(beginning) == cut.characters < len(text)
        assert 150 < cut.tokens - 2 <= 300  # fewer where a long word would be cut
        assert text[cut.characters - 1].isspace() or text[cut.characters].isspace()
        scores, characters = model.score_beginnings([text, "you", None], 300)
        assert characters == [cut.characters, 3, 0]
        assert np.array_equal(scores, model.score([beginning, "you", None]), equal_nan=True)


def test_a_text_within_the_bound_is_scored_as_without_it(tiny):
    scores, characters = tiny.score_beginnings(TEXTS)
    assert np.array_equal(scores, tiny.score(TEXTS))
    assert characters == [len(text) for text in TEXTS]


def test_scoring_can_be_ended_between_two_windows(tiny):
    class EndedError(Exception):
        pass

    called = []

    def between():
        called.append(1)
        if len(called) == 3:
            raise EndedError

    with pytest.raises(EndedError):
        tiny.score_beginnings([" ".join(str(number) for number in range(5_000))], between=between)
    assert len(called) == 3


def test_a_tokenizer_that_panics_is_an_error_without_the_text(model_folder):
    tokenizer = json.loads((model_folder / "tokenizer.json").read_text())
    split = {"Regex": "(q+)+$"}
    tokenizer["pre_tokenizer"] = {
        "type": "Split",
        "pattern": split,
        "behavior": "Isolated",
        "invert": False,
    }
    (model_folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    model = load_classifier(model_folder)
    with pytest.raises(ModelError, match="the tokenizer failed on a text") as caught:
        model.score(["q" * 5_000 + "!"])
    assert "qqq" not in str(caught.value)
    assert model.score(["a kind word"]).shape == (1, 6)
