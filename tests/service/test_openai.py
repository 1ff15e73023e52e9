"""POST /v1/moderations, in OpenAI's format."""

import numpy as np
import pytest

from tests.service.conftest import KIND, RUDE
from tests.service.test_overload import SlowModel

CATEGORIES = [
    *("harassment", "harassment/threatening", "hate", "hate/threatening"),
    *("illicit", "illicit/violent", "self-harm", "self-harm/intent", "self-harm/instructions"),
    *("sexual", "sexual/minors", "violence", "violence/graphic"),
]
LOOKED_AT = CATEGORIES[:4]
OBSCENE = "fuck this bloody rain"


class Rated:
    """The embedded model, but every text gets these scores, by label."""

    def __init__(self, classifier, **scores):
        self._classifier = classifier
        self._scores = [scores.get(label, 0) for label in classifier.labels]

    def __getattr__(self, name):
        return getattr(self._classifier, name)

    def score_cuts(self, cuts, between=None, languages=None):
        return np.tile(np.float32(self._scores), (len(cuts), 1))


class Renamed:
    """The embedded model with other names for its labels."""

    def __init__(self, classifier, **names):
        self._classifier = classifier
        self.labels = [names.get(label, label) for label in classifier.labels]

    def __getattr__(self, name):
        return getattr(self._classifier, name)


def moderate(running, given, **headers):
    return running.post("/v1/moderations", {"input": given}, **headers)


def problem(reply):
    """The error of an answer, which has all four keys."""
    error = reply.json["error"]
    assert list(error) == ["message", "type", "param", "code"]
    return error


def test_a_text_gets_all_categories_in_openais_form(running, embedded):
    body = moderate(running, RUDE).json
    assert list(body) == ["id", "model", "results"]
    assert body["id"].startswith("modr-")
    assert body["model"] == "toxic-minilm"
    [result] = body["results"]
    assert result["flagged"] is True
    for name in ("categories", "category_scores", "category_applied_input_types"):
        assert list(result[name]) == CATEGORIES
    assert result["categories"]["harassment"] is True
    [row] = embedded.score([RUDE])
    scores = dict(zip(embedded.labels, row, strict=True))
    shown = result["category_scores"]
    assert np.float32(shown["harassment"]) == max(scores["toxic"], scores["insult"])
    assert np.float32(shown["hate"]) == scores["identity_hate"]


def test_a_category_that_the_model_does_not_look_at_has_no_input_type(running):
    [result] = moderate(running, RUDE).json["results"]
    for category in CATEGORIES:
        looked_at = category in LOOKED_AT
        types = result["category_applied_input_types"][category]
        assert types == (["text"] if looked_at else [])
        if not looked_at:
            assert result["category_scores"][category] == 0
            assert result["categories"][category] is False


def test_swearing_is_not_sexual(serving, embedded):
    with serving(Rated(embedded, obscene=1, severe_toxic=1)) as running:
        [result] = moderate(running, OBSCENE).json["results"]
    assert result["flagged"] is False
    assert set(result["category_scores"].values()) == {0}


@pytest.mark.parametrize(
    ("scores", "flagged", "expected"),
    [
        ({"toxic": 0.9}, ["harassment"], {"harassment": 0.9}),
        ({"insult": 0.9, "toxic": 0.1}, ["harassment"], {"harassment": 0.9}),
        ({"threat": 0.9}, ["harassment/threatening"], {"harassment/threatening": 0.9}),
        ({"identity_hate": 0.9}, ["hate"], {"hate": 0.9}),
        (
            {"identity_hate": 0.9, "threat": 0.8},
            ["harassment/threatening", "hate", "hate/threatening"],
            {"harassment/threatening": 0.8, "hate": 0.9, "hate/threatening": 0.8},
        ),
        ({"identity_hate": 0.9, "threat": 0.01}, ["hate"], {"hate/threatening": 0.01}),
        ({"toxic": 0.01}, [], {"harassment": 0.01}),
    ],
)
def test_categories_are_made_of_the_labels(serving, embedded, scores, flagged, expected):
    with serving(Rated(embedded, **scores)) as running:
        [result] = moderate(running, KIND).json["results"]
    assert [name for name, value in result["categories"].items() if value] == flagged
    assert result["flagged"] is bool(flagged)
    assert expected.items() <= result["category_scores"].items()


def test_each_text_of_a_list_has_a_result_and_a_blank_one_was_not_looked_at(running):
    results = moderate(running, [RUDE, " ", *[KIND] * 20, RUDE]).json["results"]
    assert [result["flagged"] for result in results] == [True, *[False] * 21, True]
    assert set(map(tuple, results[1]["category_applied_input_types"].values())) == {()}
    assert set(results[1]["category_scores"].values()) == {0}
    assert results[2]["category_applied_input_types"]["hate"] == ["text"]


def test_the_parts_of_a_list_are_one_input(running):
    parts = [{"type": "text", "text": KIND}, {"type": "text", "text": RUDE}]
    assert (
        moderate(running, parts).json["results"]
        == moderate(running, f"{KIND}\n{RUDE}").json["results"]
    )


def test_any_model_and_unknown_fields_are_accepted(running):
    for fields in ({"model": "omni-moderation-latest"}, {"model": None}, {"user": "u"}):
        assert running.post("/v1/moderations", {"input": KIND, **fields}).status == 200


@pytest.mark.parametrize(
    ("body", "param", "word"),
    [
        ({}, "input", "string"),
        ({"input": None}, "input", "string"),
        ({"input": []}, "input", "1 to 1000"),
        ({"input": ["a"] * 1001}, "input", "1 to 1000"),
        ({"input": ["a", 1]}, "input[0]", "part"),
        ({"input": [{"type": "text", "text": "a"}, "b"]}, "input[1]", "part"),
        ({"input": [{"type": "text"}]}, "input[0]", "part"),
        ({"input": [{"type": ["image_url"]}]}, "input[0]", "part"),
        ({"input": "a", "model": 1}, "model", "string"),
        (b"{input: 'lenient'}", None, "JSON"),
        (b"[]", None, "object"),
    ],
)
def test_an_invalid_request_gets_400_with_the_field(running, body, param, word):
    reply = running.post("/v1/moderations", body)
    error = problem(reply)
    assert (reply.status, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert word in error["message"]


def test_an_image_is_refused(running):
    image = {"type": "image_url", "image_url": {"url": "https://forum.example/cat.png"}}
    reply = moderate(running, [{"type": "text", "text": KIND}, image])
    assert reply.status == 400
    assert problem(reply)["code"] == "unsupported_value"
    assert problem(reply)["param"] == "input[1].type"


@pytest.mark.parametrize(
    ("text", "limit"), [("é" * 10_241, "20480"), ("\ufdfa! " * 1_000, "12000")]
)
def test_a_text_that_cannot_be_scored_in_full_is_refused(running, text, limit):
    for given in (text, [KIND, text], [{"type": "text", "text": text}]):
        reply = moderate(running, given)
        assert reply.status == 400
        assert problem(reply)["code"] == "string_above_max_length"
        assert limit in problem(reply)["message"]


def test_a_missing_or_wrong_key_gets_401(serving, monkeypatch):
    monkeypatch.setenv("TOXICITY_API_KEYS", "right")
    with serving() as running:
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            reply = moderate(running, KIND, **headers)
            assert reply.status == 401
            assert problem(reply)["type"] == "invalid_request_error"
            assert problem(reply)["code"] == "invalid_api_key"
        assert moderate(running, KIND, Authorization="Bearer right").status == 200


def test_beyond_the_rate_limit_the_caller_gets_429_and_the_seconds_to_wait(serving, clock):
    with serving(rate_limit="1/minute") as running:
        assert moderate(running, KIND).status == 200
        reply = moderate(running, KIND)
    assert reply.status == 429
    assert 1 <= int(reply.headers["retry-after"]) <= 60
    assert problem(reply)["code"] == "rate_limit_exceeded"


def test_an_overloaded_or_broken_service_answers_in_openais_form(serving, embedded):
    class Broken(SlowModel):
        def cut(self, texts, most=None):
            raise ValueError(texts[0])

    with serving(Broken(embedded)) as running:
        reply = moderate(running, "very private words")
        assert (reply.status, problem(reply)["type"]) == (500, "server_error")
        assert "private" not in problem(reply)["message"]
        running.service._batchers[0]._turns_ahead = 10**9
        reply = moderate(running, KIND)
        running.service._batchers[0]._turns_ahead = 0
        assert (reply.status, problem(reply)["type"]) == (503, "server_error")
        assert int(reply.headers["retry-after"]) >= 1


def test_a_body_that_is_too_large_gets_413(serving):
    with serving(max_body=1000) as running:
        reply = moderate(running, "x" * 1001)
    assert reply.status == 413
    assert "1000" in problem(reply)["message"]


def test_a_web_page_of_another_site_gets_403_in_openais_form(running):
    reply = moderate(running, KIND, Origin="https://evil.example")
    assert reply.status == 403
    assert "--cors-origins" in problem(reply)["message"]


def test_a_model_with_other_labels_gets_404(serving, embedded):
    with serving(Renamed(embedded, threat="spam")) as running:
        reply = moderate(running, KIND)
        assert running.post("/v1/score", {"texts": [KIND]}).status == 200
    assert reply.status == 404
    assert problem(reply)["code"] == "model_not_found"
    assert "no label for THREAT" in problem(reply)["message"]


def test_a_model_whose_labels_have_perspectives_names_is_served(serving, embedded):
    names = {"toxic": "toxicity", "identity_hate": "identity_attack"}
    with serving(Renamed(embedded, **names)) as running:
        assert moderate(running, RUDE).json["results"][0]["categories"]["harassment"] is True


def test_a_batch_may_moderate(running):
    part = f'POST /v1/moderations HTTP/1.1\r\n\r\n{{"input": "{RUDE}"}}'
    body = f"--b\r\nContent-Type: application/http\r\n\r\n{part}\r\n--b--".encode()
    reply = running.post("/batch", body, Content_Type="multipart/mixed; boundary=b")
    assert b'"flagged":true' in reply.body
