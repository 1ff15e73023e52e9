"""comments:analyze, by the contract of the Perspective API."""

import json
from typing import ClassVar

import numpy as np
import pytest

from tests.service.conftest import KIND, RUDE

SIX = ["TOXICITY", "SEVERE_TOXICITY", "PROFANITY", "THREAT", "INSULT", "IDENTITY_ATTACK"]
ERROR_TYPE = "type.googleapis.com/google.commentanalyzer.v1alpha1.Error"


def summary(reply, attribute="TOXICITY"):
    return reply.json["attributeScores"][attribute]["summaryScore"]["value"]


# What is answered


def test_the_scores_are_the_models_own(running, embedded):
    reply = running.analyze(RUDE, [*SIX, "OBSCENE"])
    expected = embedded.score([RUDE])[0]
    found = [summary(reply, name) for name in SIX]
    assert np.array_equal(np.array(found, np.float32), expected)
    assert summary(reply, "OBSCENE") == summary(reply, "PROFANITY")


def test_each_of_the_six_has_an_experimental_twin(running):
    reply = running.analyze(RUDE, [*SIX, *(f"{name}_EXPERIMENTAL" for name in SIX)])
    scores = reply.json["attributeScores"]
    assert len(scores) == 12
    assert all(scores[name] == scores[f"{name}_EXPERIMENTAL"] for name in SIX)


def test_a_value_has_the_digits_of_a_float32(running):
    reply = running.analyze(RUDE)
    assert len(str(summary(reply))) <= 12
    assert reply.json["attributeScores"]["TOXICITY"]["summaryScore"]["type"] == "PROBABILITY"


def test_one_span_covers_the_whole_text_even_if_none_was_asked_for(running):
    scores = running.analyze(RUDE).json["attributeScores"]["TOXICITY"]
    whole = {"begin": 0, "end": len(RUDE), "score": scores["summaryScore"]}
    assert scores["spanScores"] == [whole]


def test_span_annotations_score_each_sentence_for_itself(running, embedded):
    text = "I read it. You are an idiot! Bye"
    scores = running.analyze(text, spanAnnotations=True).json["attributeScores"]["TOXICITY"]
    parts = [text[span["begin"] : span["end"]] for span in scores["spanScores"]]
    assert parts == ["I read it.", "You are an idiot!", "Bye"]
    values = np.array([span["score"]["value"] for span in scores["spanScores"]], np.float32)
    assert np.array_equal(values, embedded.score(parts)[:, 0])
    assert np.float32(scores["summaryScore"]["value"]) == embedded.score([text])[0, 0]


def test_spans_count_utf16_units(running):
    text = "😀 Hi there. You 😀 idiot."
    spans = running.analyze(text, spanAnnotations=True).json["attributeScores"]["TOXICITY"]
    offsets = [(span["begin"], span["end"]) for span in spans["spanScores"]]
    units = text.encode("utf-16-le")
    parts = [units[2 * begin : 2 * end].decode("utf-16-le") for begin, end in offsets]
    assert parts == ["😀 Hi there.", "You 😀 idiot."]


def test_languages_are_the_requested_or_else_the_detected_ones(running):
    body = running.analyze(KIND).json
    assert (body["languages"], body["detectedLanguages"]) == (["en"], ["en"])
    german = "Vielen Dank, das war wirklich sehr hilfreich von dir."
    body = running.analyze(german, languages=["en"]).json
    assert (body["languages"], body["detectedLanguages"]) == (["en"], ["de"])


def test_the_client_token_comes_back_and_only_if_sent(running):
    assert running.analyze(KIND, clientToken="mine\ud800").json["clientToken"] == "mine\ud800"
    assert "clientToken" not in running.analyze(KIND).json


def test_scores_below_a_threshold_are_left_out(running):
    attributes = {"TOXICITY": {"scoreThreshold": 0.5}, "THREAT": {"scoreThreshold": 0.9}}
    body = {"comment": {"text": RUDE}, "requestedAttributes": attributes}
    assert list(running.post("/v1alpha1/comments:analyze", body).json["attributeScores"]) == [
        "TOXICITY"
    ]
    body["comment"]["text"] = KIND
    reply = running.post("/v1alpha1/comments:analyze", body).json
    assert reply == {"languages": ["en"], "detectedLanguages": ["en"]}


def test_a_score_equal_to_its_threshold_stays_in(running):
    value = summary(running.analyze(RUDE))
    attributes = {"TOXICITY": {"scoreThreshold": value}}
    assert summary(running.analyze(RUDE, requestedAttributes=attributes)) == value


def test_context_session_and_unknown_fields_change_nothing(running):
    fields = {
        "doNotStore": True,
        "sessionId": "1",
        "communityId": "c",
        "context": {"entries": [{"text": "before", "type": "PLAIN_TEXT"}]},
        "comment": {"text": RUDE, "type": "PLAIN_TEXT"},
        "requestedAttributes": {"TOXICITY": {"scoreType": "PROBABILITY"}},
        "someLaterAddition": 1,
    }
    assert running.analyze(RUDE, **fields).json == running.analyze(RUDE).json


def test_googles_url_parameters_are_accepted(running):
    parameters = "?key=k&alt=json&prettyPrint=false&fields=*&quotaUser=u&%24.xgafv=2&uploadType=x"
    body = {"comment": {"text": RUDE}, "requestedAttributes": {"TOXICITY": {}}}
    assert running.post(f"/v1alpha1/comments:analyze{parameters}", body).status == 200


def test_field_names_can_be_in_snake_case(running):
    body = {
        "comment": {"text": "One. Two."},
        "requested_attributes": {"TOXICITY": {"score_threshold": 0, "score_type": "PROBABILITY"}},
        "span_annotations": True,
        "do_not_store": True,
        "client_token": "t",
    }
    reply = running.post("/v1alpha1/comments:analyze", body).json
    assert reply["clientToken"] == "t"
    assert len(reply["attributeScores"]["TOXICITY"]["spanScores"]) == 2


@pytest.mark.parametrize(
    "body",
    [
        b'{comment: {text: "hi"}, languages: ["en"], requestedAttributes: {TOXICITY:{}} }',
        b"{'comment': {'text': 'hi'}, 'requestedAttributes': {'TOXICITY': {}}, }",
        b'\xef\xbb\xbf{"comment": {"text": "hi"}, "requestedAttributes": {"TOXICITY": null}}',
        b'{"comment": {"text": "hi"}, "requestedAttributes": {"TOXICITY": {}}, "languages": "en"}',
        b'{"comment": {"text": "hi\r\n\tyou"}, "requestedAttributes": {"TOXICITY": {}}}',
        b'{"comment": {"text": "hi"}, "requestedAttributes": {"TOXICITY":{}}, "doNotStore":"true"}',
    ],
)
def test_json_can_be_as_lenient_as_google_accepts(running, body):
    assert running.post("/v1alpha1/comments:analyze", body).json["attributeScores"]


def test_the_length_limit_counts_utf8_bytes(running):
    assert running.analyze("é" * 10_240, languages=["en"]).status == 200
    reply = running.analyze("é" * 10_240 + "e", languages=["en"])
    assert reply.error == ("Comment text too long.", "COMMENT_TOO_LONG")


def test_thousands_of_sentences_share_spans(running):
    reply = running.analyze("Ab. " * 5_000, spanAnnotations=True, languages=["en"])
    spans = reply.json["attributeScores"]["TOXICITY"]["spanScores"]
    assert len(spans) == 100
    assert spans[-1]["end"] == 19_999


# What is refused


@pytest.mark.parametrize("text", ["", "  \n\t", None])
def test_a_blank_comment_is_refused(running, text):
    reply = running.analyze(text)
    assert reply.status == 400
    assert reply.json == {
        "error": {
            "code": 400,
            "message": "Comment must be non-empty.",
            "status": "INVALID_ARGUMENT",
            "details": [{"@type": ERROR_TYPE, "errorType": "COMMENT_EMPTY"}],
        }
    }


@pytest.mark.parametrize("attributes", [{}, None])
def test_a_request_for_no_attribute_is_refused(running, attributes):
    reply = running.analyze(KIND, requestedAttributes=attributes)
    assert reply.error == ("Missing requested_attributes", "NO_REQUESTED_ATTRIBUTES")


@pytest.mark.parametrize("name", ["SEXUALLY_EXPLICIT", "FLIRTATION", "SPAM", "NONSENSE"])
def test_an_attribute_that_the_model_has_no_label_for_is_refused(running, name):
    reply = running.analyze(KIND, ["TOXICITY", name])
    assert reply.error == (f"Unknown requested attribute: {name}", "INVALID_REQUEST")


@pytest.mark.parametrize("kind", ["STD_DEV_SCORE", "PERCENTILE", "RAW"])
def test_a_score_type_other_than_probability_is_refused(running, kind):
    reply = running.analyze(KIND, requestedAttributes={"THREAT": {"scoreType": kind}})
    message = f"Requested score type {kind} is not supported by attribute THREAT"
    assert reply.error == (message, "INVALID_REQUEST")


def test_a_comment_that_is_not_plain_text_is_refused(running):
    html = running.analyze("", comment={"text": "<b>hi</b>", "type": "HTML"})
    assert html.error[0] == "Currently, only 'PLAIN_TEXT' comments are supported"
    other = running.analyze("", comment={"text": "hi", "type": "MARKDOWN"})
    assert other.error == ("Unknown text type", "INVALID_REQUEST")


@pytest.mark.parametrize("digits", [3, 6_000])  # str() of more than 4,300 digits raises
def test_an_enum_number_out_of_range_is_refused(running, digits):
    number = "0x" + "f" * digits
    for fields in (
        {"requestedAttributes": {"TOXICITY": {"scoreType": "NUMBER"}}},
        {"comment": {"text": KIND, "type": "NUMBER"}},
    ):
        body = {"comment": {"text": KIND}, "requestedAttributes": {"TOXICITY": {}}, **fields}
        sent = json.dumps(body).replace('"NUMBER"', number).encode()
        reply = running.post("/v1alpha1/comments:analyze", sent)
        assert reply.error[1] == "INVALID_REQUEST"


def test_both_kinds_of_context_at_once_are_refused(running):
    context = {
        "entries": [{"text": "a"}],
        "articleAndParentComment": {"article": {"text": "b"}},
    }
    assert running.analyze(KIND, context=context).error == (
        "Context can have either entries or article_and_parent_comment, but both fields were "
        "populated.",
        "INVALID_REQUEST",
    )


def test_a_requested_language_that_is_not_served_is_refused(running):
    reply = running.analyze(KIND, ["THREAT", "INSULT"], languages=["en", "fr", "hi-Latn"])
    assert reply.error == (
        "Attribute THREAT does not support request languages: fr, hi-Latn",
        "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
    )
    assert reply.json["error"]["details"][0]["languageNotSupportedByAttributeError"] == {
        "attribute": "THREAT",
        "requestedLanguages": ["fr", "hi-Latn"],
    }


def test_a_detected_language_that_is_not_served_is_refused(running):
    reply = running.analyze("Du bist ein Idiot und niemand mag dich hier.")
    assert reply.error[0] == "Attribute TOXICITY does not support request languages: de"
    assert reply.json["error"]["details"][0]["languageNotSupportedByAttributeError"] == {
        "attribute": "TOXICITY",
        "detectedLanguages": ["de"],
    }


@pytest.mark.parametrize("text", ["12345", "😀😀", "?!", "https://example.org"])
def test_a_text_without_words_has_no_language(running, text):
    message = ("Unable to detect language", "LANGUAGE_DETECTION_FAILED")
    assert running.analyze(text).error == message
    told = running.analyze(text, languages=["en"]).json
    assert told["attributeScores"]
    assert told["detectedLanguages"] == ["und"]


def test_unsupported_attributes_can_be_dropped(running):
    names = ["TOXICITY", "SEXUALLY_EXPLICIT", "AFFINITY_EXPERIMENTAL"]
    reply = running.analyze(KIND, names, dropUnsupportedAttributes=True)
    assert list(reply.json["attributeScores"]) == ["TOXICITY"]
    reply = running.analyze(KIND, names, languages=["fr"], dropUnsupportedAttributes=True)
    assert reply.json == {"languages": ["fr"], "detectedLanguages": ["en"]}
    reply = running.analyze(KIND, ["NONSENSE"], dropUnsupportedAttributes=True)
    assert reply.status == 400


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 9999, b"{a:" * 9999])
def test_a_body_that_is_not_a_json_object_is_refused(running, body):
    message, kind = running.post("/v1alpha1/comments:analyze", body).error
    assert message.startswith("Invalid JSON payload received.")
    assert kind == "INVALID_REQUEST"


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"comment": {"text": 1}}, "text"),
        ({"comment": "hi"}, "comment"),
        ({"spanAnnotations": "yes"}, "span_annotations"),
        ({"languages": [1]}, "languages"),
        ({"requestedAttributes": ["TOXICITY"]}, "requested_attributes"),
        ({"requestedAttributes": {"TOXICITY": []}}, "requested_attributes[TOXICITY]"),
        ({"requestedAttributes": {"TOXICITY": {"scoreThreshold": "much"}}}, "score_threshold"),
        (
            {"requestedAttributes": {"TOXICITY": {"scoreThreshold": float("nan")}}},
            "score_threshold",
        ),
        ({"requestedAttributes": {"TOXICITY": {"scoreThreshold": 10**400}}}, "score_threshold"),
    ],
)
def test_a_field_of_the_wrong_type_is_named(running, fields, name):
    message, _ = running.analyze(KIND, **fields).error
    assert message.startswith(f"Invalid value at '{name}")


def test_an_unknown_path_or_method_is_refused(running):
    assert running.get("/v1alpha1/comments").json["error"]["status"] == "NOT_FOUND"
    reply = running.get("/v1alpha1/comments:analyze")
    assert (reply.status, reply.json["error"]["code"]) == (405, 405)
    assert reply.headers["allow"] == "POST"


def test_a_model_with_other_labels_has_no_attributes_but_scores_texts(serving, embedded):
    class Film:
        labels: ClassVar = ["negative", "positive"]

        def __getattr__(self, name):
            return getattr(embedded, name)

        def score_cuts(self, cuts, between, languages=None):
            return np.full((len(cuts), 2), [0.2, 0.8], np.float32)

        def flags(self, scores, language=None):
            return ["positive"]

    with serving(Film()) as running:
        assert running.analyze(KIND).error[0] == "Unknown requested attribute: TOXICITY"
        [result] = running.post("/v1/score", {"texts": [KIND]}).json["results"]
        assert result == {"scores": {"negative": 0.2, "positive": 0.8}, "flags": ["positive"]}


@pytest.mark.parametrize("sentences", [False, True])
def test_a_comment_of_too_many_tokens_is_truncated_and_says_so(running, embedded, sentences):
    text = "You fool. " + "\ufdfa! " * 1_000  # 18 letters each
    asked = {"languages": ["en"], "spanAnnotations": sentences}
    answer = running.analyze(text, **asked).json
    assert answer["truncated"] is True
    scores = answer["attributeScores"]["TOXICITY"]
    end = scores["spanScores"][-1]["end"]
    assert 1_000 < end < len(text)
    expected = embedded.score([text[:end]])[0, 0]
    assert np.float32(scores["summaryScore"]["value"]) == expected
    assert "truncated" not in running.analyze(RUDE, **asked).json
