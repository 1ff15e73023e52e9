"""explain: which words carry each flag, in /v1/score and comments:analyze."""

import numpy as np
import pytest

from comment_toxicity.service import reasons
from tests.service.conftest import KIND, RUDE
from tests.service.test_overload import SlowModel

EMOJI = "😀 Thank you 😀 for this, you idiot!"


class Counting:
    """The embedded model, which counts the texts that it scores."""

    def __init__(self, classifier):
        self._classifier = classifier
        self.scored = 0

    def __getattr__(self, name):
        return getattr(self._classifier, name)

    def score_cuts(self, cuts, between=None, languages=None):
        self.scored += len(cuts)
        return self._classifier.score_cuts(cuts, between, languages)


def explain(running, texts, **fields):
    return running.post("/v1/score", {"texts": texts, "explain": True, **fields})


def in_utf16(text, span):
    return text.encode("utf-16-le")[2 * span["start"] : 2 * span["end"]].decode("utf-16-le")


# /v1/score


def test_the_words_that_carry_each_flag_are_located(running, embedded):
    kind, rude = explain(running, [KIND, EMOJI]).json["results"]
    assert kind["flags"] == []
    assert kind["explanations"] == {}
    assert rude["flags"]
    assert list(rude["explanations"]) == rude["flags"]
    for label, explanation in rude["explanations"].items():
        assert explanation["unit"] == "word"
        assert "passage" not in explanation
        part = explanation["parts"][0]
        assert EMOJI[part["start"] : part["end"]] == "idiot!"
        assert in_utf16(EMOJI, part["utf16"]) == "idiot!"
        assert part["utf16"]["start"] == part["start"] + 2
        column = embedded.labels.index(label)
        whole, without = embedded.score([EMOJI, EMOJI.replace("idiot!", "")])[:, column]
        assert part["effect"] == pytest.approx(float(whole - without), abs=1e-5)


def test_only_the_labels_that_were_asked_for_are_explained(running):
    [result] = explain(running, [RUDE], labels=["insult"]).json["results"]
    assert list(result["explanations"]) == ["insult"]


def test_without_explain_there_are_no_explanations(running):
    [plain] = running.post("/v1/score", {"texts": [RUDE]}).json["results"]
    [unset] = explain(running, [RUDE], explain=False).json["results"]
    assert "explanations" not in plain
    assert "explanations" not in unset


def test_a_single_word_has_no_explanation_and_an_error_stays_one(running):
    single, blank = explain(running, ["idiot", " "]).json["results"]
    assert single["flags"]
    assert single["explanations"] == {}
    assert blank["error"]["code"] == "blank"


def test_a_long_text_is_explained_by_the_sentences_of_a_passage(running):
    calm = "😀 The lake was calm" + " and the water was clear" * 10 + ". "
    rude = "You are a stupid idiot" + " and a fool" * 20 + "! "
    text = calm * 6 + rude * 3 + calm * 6
    [result] = explain(running, [text]).json["results"]
    part = result["explanations"]["toxic"]["parts"][0]
    assert text[part["start"] : part["end"]].startswith("You are a stupid idiot")
    for explanation in result["explanations"].values():
        assert explanation["unit"] == "sentence"
        passage = explanation["passage"]
        assert 0 <= passage["start"] < passage["end"] < len(text)
        assert in_utf16(text, passage["utf16"]) == text[passage["start"] : passage["end"]]
        for part in explanation["parts"]:
            assert text[part["start"] : part["end"]].endswith((".", "!"))
            assert in_utf16(text, part["utf16"]) == text[part["start"] : part["end"]]


def test_positions_are_those_of_the_comment_before_a_policy_took_words_out(serving, tmp_path):
    policy = tmp_path / "policies.toml"
    policy.write_text('default = "p"\n[policies.p]\nnever = ["cock"]\n')
    text = "The cock 😀 and the cock, you idiot"
    with serving(policy=str(policy)) as running:
        [result] = explain(running, [text]).json["results"]
        body = running.analyze(text, ["INSULT"], explain=True).json
    parts = [explanation["parts"][0] for explanation in result["explanations"].values()]
    assert {text[part["start"] : part["end"]] for part in parts} == {"idiot"}
    spans = body["attributeScores"]["INSULT"]["spanScores"]
    best = max(spans, key=lambda span: span["score"]["value"])
    assert in_utf16(text, {"start": best["begin"], "end": best["end"]}) == "idiot"


@pytest.mark.parametrize(
    ("body", "word"),
    [({"texts": [RUDE], "explain": 1}, "explain"), ({"texts": [RUDE] * 11}, "1 to 10")],
)
def test_an_invalid_request_for_reasons_gets_400(running, body, word):
    reply = running.post("/v1/score", {"explain": True, **body})
    assert reply.status == 400
    assert word in reply.error[0]


# Its cost


def test_one_text_takes_as_many_scorings_as_it_has_words(serving, embedded):
    model = Counting(embedded)
    with serving(model) as running:
        explain(running, [RUDE])
        assert model.scored == 2 + len(RUDE.split())


def test_texts_that_no_scorings_are_left_for_say_so(serving, embedded, monkeypatch):
    monkeypatch.setattr(reasons, "MAX_SCORINGS", 15)
    model = Counting(embedded)
    with serving(model) as running:
        results = explain(running, [RUDE, f"{RUDE} Bye.", KIND]).json["results"]
    assert results[0]["explanations"]
    assert results[1]["explanations"] is None
    assert results[1]["flags"]
    assert results[2]["explanations"] == {}
    assert model.scored == 3 + 1 + len(RUDE.split())


def test_the_longest_text_fits_into_the_scorings_of_a_request(serving, embedded):
    class Flagging(Counting):
        """Flags every label of every text."""

        def score_cuts(self, cuts, between=None, languages=None):
            self.scored += len(cuts)
            return np.full((len(cuts), 6), 0.9, np.float32)

        def window_logits(self, windows):
            return np.zeros((len(windows), 6), np.float32)

        def combined(self, logits, language=None):  # of a long text
            self.scored += 1
            return np.full(6, 0.9, np.float32)

    model = Flagging(embedded)
    text = "You idiot. I will kill you. " * 1_000
    with serving(model) as running:
        [result] = explain(running, [text[:20_480]]).json["results"]
    assert len(result["explanations"]) == 6
    assert 60 < model.scored < 13 + 2 * 61 + 1
    assert model.scored < reasons.MAX_SCORINGS


def test_each_explained_text_counts_as_a_request_of_its_caller(serving, clock):
    with serving(rate_limit="5/minute") as running:
        refused = explain(running, [KIND] * 5)
        assert refused.status == 400
        assert "counts as 6, and the limit is 5 requests per 60 seconds" in refused.error[0]
        assert explain(running, [KIND] * 2).status == 200  # that makes four
        assert running.post("/v1/score", {"texts": [KIND]}).status == 200
        reply = running.analyze(KIND)
        assert (reply.status, reply.json["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")


def test_reasons_count_for_the_key_of_the_caller(serving, monkeypatch, clock):
    monkeypatch.setenv("TOXICITY_API_KEYS", "one,two")
    with serving(rate_limit="3/minute") as running:
        body = {"texts": [KIND, KIND], "explain": True}
        assert running.post("/v1/score?key=one", body).status == 200
        assert running.post("/v1/score?key=one", {"texts": [KIND]}).status == 429
        assert running.post("/v1/score?key=two", body).status == 200


def test_a_batch_explains_nothing(running):
    body = f'{{"texts": ["{RUDE}"], "explain": true}}'
    part = f"Content-Type: application/http\r\n\r\nPOST /v1/score HTTP/1.1\r\n\r\n{body}"
    sent = f"--b\r\n{part}\r\n--b--".encode()
    reply = running.post("/batch", sent, Content_Type="multipart/mixed; boundary=b")
    assert b"explain is not available within a batch" in reply.body


def test_reasons_wait_in_the_queue_of_all_texts(serving, embedded):
    model = SlowModel(embedded)
    model.may.set()
    with serving(model) as running:
        explain(running, [RUDE])
        metrics = running.get("/metrics").body.decode()
    assert f"toxicity_texts_scored_total {2 + len(RUDE.split())}.0" in metrics


# comments:analyze


def test_the_spans_of_a_flagged_attribute_can_be_its_words(running):
    body = running.analyze(EMOJI, ["INSULT", "THREAT"], spanAnnotations=True, explain=True).json
    insult = body["attributeScores"]["INSULT"]
    spans = insult["spanScores"]
    words = [in_utf16(EMOJI, {"start": s["begin"], "end": s["end"]}) for s in spans]
    assert "idiot!" in words
    assert [span["begin"] for span in spans] == sorted(span["begin"] for span in spans)
    best = max(spans, key=lambda span: span["score"]["value"])
    assert in_utf16(EMOJI, {"start": best["begin"], "end": best["end"]}) == "idiot!"
    assert best["score"]["type"] == "RAW"
    assert 0 < best["score"]["value"] <= insult["summaryScore"]["value"]
    # Nothing carries a flag that is not there.
    [whole] = body["attributeScores"]["THREAT"]["spanScores"]
    assert (whole["begin"], whole["end"]) == (0, len(EMOJI) + 2)


def test_the_discovery_document_knows_no_reasons(running):
    schemas = running.get("/$discovery/rest").json["schemas"]
    assert "explain" not in schemas["AnalyzeCommentRequest"]["properties"]
