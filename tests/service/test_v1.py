"""POST /v1/score and GET /v1/model."""

import numpy as np
import pytest

from tests.service.conftest import KIND, RUDE


def score(running, body):
    return running.post("/v1/score", body)


def test_many_texts_get_all_labels_in_order(running, embedded):
    texts = [KIND, RUDE, *(f"{KIND} {number}" for number in range(30))]
    body = score(running, {"texts": texts}).json
    assert body["labels"] == embedded.labels
    rows = [[result["scores"][label] for label in embedded.labels] for result in body["results"]]
    expected = embedded.score(texts)
    assert np.array_equal(np.array(rows, np.float32), expected)
    assert [result["flags"] for result in body["results"]] == list(map(embedded.flags, expected))


def test_the_answer_has_the_weights_and_thresholds_of_the_model(running, embedded):
    body = score(running, {"texts": [KIND]}).json
    assert body["model"] == {
        "name": "toxic-minilm",
        "weights": embedded.decision.weights.sha256,
    }
    assert body["thresholds"] == embedded.thresholds
    assert body["calibrated"] is True
    about = running.get("/v1/model").json
    assert {name: about[name] for name in ("model", "labels", "thresholds", "calibrated")} == {
        name: body[name] for name in ("model", "labels", "thresholds", "calibrated")
    }


def test_a_text_that_cannot_be_scored_gets_an_error_as_its_result(running):
    texts = ["", RUDE, None, 7, "é" * 10_241, KIND]
    results = score(running, {"texts": texts}).json["results"]
    codes = [result.get("error", {}).get("code") for result in results]
    assert codes == ["blank", None, "not_text", "not_text", "too_long", None]


def test_the_answer_can_be_limited_to_some_labels(running):
    body = score(running, {"texts": [RUDE], "labels": ["insult", "toxic"]}).json
    assert body["labels"] == ["toxic", "insult"]
    assert list(body["thresholds"]) == ["toxic", "insult"]
    assert list(body["results"][0]["scores"]) == ["toxic", "insult"]
    assert body["results"][0]["flags"] == ["toxic", "insult"]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "texts"),
        ({"texts": "one"}, "texts"),
        ({"texts": []}, "texts"),
        ({"texts": ["a"] * 1001}, "1000"),
        ({"texts": ["a"], "labels": []}, "labels"),
        ({"texts": ["a"], "labels": ["rude"]}, "labels"),
        ({"texts": ["a"], "labels": [[]]}, "labels"),
        ({"texts": ["a"], "text": "b"}, "field"),
        (b"{texts: ['lenient']}", "JSON"),
    ],
)
def test_an_invalid_score_request_gets_400_with_the_reason(running, body, word):
    reply = score(running, body)
    assert reply.status == 400
    assert word in reply.error[0]


def test_a_text_of_too_many_tokens_is_scored_to_where_the_answer_says(running, embedded):
    text = "\ufdfa! " * 1_000  # 18 letters each
    ordinary, dear = score(running, {"texts": [RUDE, text]}).json["results"]
    assert "scoredCharacters" not in ordinary
    characters = dear["scoredCharacters"]
    assert 1_000 < characters < len(text)
    [expected] = embedded.score([text[:characters]])
    assert np.array_equal(np.float32(list(dear["scores"].values())), expected)
    assert running.get("/v1/model").json["limits"]["textTokens"] == 12_000
