"""Programs written for the Perspective API, with only the address changed."""

import json
import shutil
import subprocess
from urllib.parse import urlencode

import pytest
from googleapiclient import discovery
from googleapiclient.errors import HttpError
from perspective import PerspectiveAPI

from tests.service.conftest import KIND, RUDE, request


@pytest.fixture
def google(running):
    """Google's Python client, built from the discovery document."""
    with discovery.build(
        "commentanalyzer",
        "v1alpha1",
        developerKey="any",
        discoveryServiceUrl=f"{running.url}/$discovery/rest?version=v1alpha1",
        static_discovery=False,
    ) as client:
        yield client


def ask(text, **fields):
    return {"comment": {"text": text}, "requestedAttributes": {"TOXICITY": {}}, **fields}


# google-api-python-client


def test_googles_client_scores_a_comment(google):
    reply = google.comments().analyze(body=ask(RUDE, clientToken="t")).execute()
    assert reply["attributeScores"]["TOXICITY"]["summaryScore"]["value"] > 0.8
    assert reply["clientToken"] == "t"


def test_googles_client_raises_what_programs_match_on(google):
    with pytest.raises(HttpError) as caught:
        google.comments().analyze(body=ask(KIND, languages=["fr"])).execute()
    error = caught.value
    assert error.resp.status == 400
    assert error.reason == "Attribute TOXICITY does not support request languages: fr"
    assert error.error_details[0]["errorType"] == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"
    assert "does not support request languages" in str(error)


def test_googles_client_can_drop_an_attribute_and_try_again(google):
    attributes = {"TOXICITY": {}, "FLIRTATION": {}}
    while True:
        try:
            body = ask(KIND) | {"requestedAttributes": attributes}
            reply = google.comments().analyze(body=body).execute()
            break
        except HttpError as error:
            del attributes[error.reason.rpartition(": ")[2]]
    assert list(reply["attributeScores"]) == ["TOXICITY"]


def test_googles_client_suggests_a_score(google):
    body = {
        "comment": {"text": RUDE},
        "attributeScores": {"TOXICITY": {"summaryScore": {"value": 1}}},
        "clientToken": "t",
    }
    reply = google.comments().suggestscore(body=body).execute()
    assert reply == {"clientToken": "t", "detectedLanguages": ["en"]}


def test_googles_client_sends_batches_and_a_blank_text_fails_alone(google):
    answers = {}
    batch = google.new_batch_http_request(
        callback=lambda name, reply, error: answers.update({name: (reply, error)})
    )
    for number, text in enumerate([KIND, "", RUDE] * 10):
        batch.add(google.comments().analyze(body=ask(text)), request_id=str(number))
    batch.execute()
    assert len(answers) == 30
    for number, (reply, error) in answers.items():
        if int(number) % 3 == 1:
            assert error.reason == "Comment must be non-empty."
        else:
            toxic = reply["attributeScores"]["TOXICITY"]["summaryScore"]["value"] > 0.5
            assert toxic == (int(number) % 3 == 2)


def test_googles_client_works_with_a_stored_discovery_document(running):
    """As programs do that carry the discovery document along."""
    document = request(f"{running.url}/$discovery/rest?version=v1alpha1").json
    document["rootUrl"] = document["baseUrl"] = "https://commentanalyzer.googleapis.com/"
    options = {"api_endpoint": running.url}
    with discovery.build_from_document(
        document, developerKey="any", client_options=options
    ) as client:
        reply = client.comments().analyze(body=ask(RUDE)).execute()
    assert reply["languages"] == ["en"]


# The package `perspective`


@pytest.fixture
def perspective(running):
    """The client of the package `perspective`; its address is an attribute."""
    client = PerspectiveAPI("any")
    client.api_client.url = f"{running.url}/v1alpha1/{{endpoint}}"
    return client


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # it leaves its sockets open
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_package_perspective_gets_scores(perspective):
    assert perspective.score(RUDE)["TOXICITY"] > 0.8
    reply = perspective.analyze_comment(
        "You 😀 idiot. Bye.",
        comment_type="PLAIN_TEXT",
        context=[{"text": "before", "type": "PLAIN_TEXT"}],
        requested_attributes={"TOXICITY": {"scoreType": "PROBABILITY", "scoreThreshold": 0.5}},
        span_annotations=True,
        languages=["en"],
        do_not_store=True,
        client_token="t",  # noqa: S106
        session_id="s",
        community_id="c",
    )
    assert [span["end"] for span in reply["attributeScores"]["TOXICITY"]["spanScores"]] == [13]
    scores = {"TOXICITY": {"summaryScore": {"value": 0.9}}}
    reply = perspective.suggest_score(RUDE, scores, languages=["en"], community_id="c")
    assert reply["requestedLanguages"] == ["en"]


# curl


SAMPLE = """{comment: {text: "what kind of idiot name is foo?"},
       languages: ["en"],
       requestedAttributes: {TOXICITY:{}} }"""


def test_the_official_samples_body_with_its_unquoted_keys_is_scored(running):
    path = "/v1alpha1/comments:analyze?key=any"
    reply = running.post(path, SAMPLE.encode(), Content_Type="application/json")
    assert reply.json["attributeScores"]["TOXICITY"]["summaryScore"]["value"] > 0.5


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl is installed")
def test_the_official_curl_sample_gets_a_score(running):
    url = f"{running.url}/v1alpha1/comments:analyze?key=any"
    done = subprocess.run(
        ["curl", "-s", "-H", "Content-Type: application/json", "--data", SAMPLE, url],
        capture_output=True,
        check=True,
        timeout=20,
    )
    assert json.loads(done.stdout)["attributeScores"]["TOXICITY"]["summaryScore"]["value"] > 0.5


# Applications, by the very bodies that they send


def test_coral_moderates(running):
    """Its setting “endpoint” is the address up to v1alpha1; it reads one summary score."""
    body = (
        '{"comment":{"text":"You are an idiot and nobody wants you here."},"doNotStore":true,'
        '"requestedAttributes":{"TOXICITY":{}},"languages":["en"]}'
    )
    path = "/v1alpha1/comments:analyze?" + urlencode({"key": "any"})
    reply = running.post(path, body.encode(), Content_Type="application/json")
    assert reply.json["attributeScores"]["TOXICITY"]["summaryScore"]["value"] > 0.8


def test_coral_reports_what_a_moderator_decided(running):
    body = (
        '{"comment":{"text":"You are an idiot."},"context":{"entries":[{"text":"{\\"url\\":'
        '\\"https://news.example/story?commentID=c1\\",\\"reply_to_id_Coral_comment_id\\":\\"c0\\",'
        '\\"Coral_comment_id\\":\\"c1\\"}"}]},"attributeScores":{"DELETED":{"summaryScore":'
        '{"value":1}}},"languages":["en"],"communityId":"Coral:https://news.example",'
        '"clientToken":"comment:c1"}'
    )
    reply = running.post("/v1alpha1/comments:suggestscore?key=any", body.encode())
    assert reply.status == 200
    assert reply.json["clientToken"] == "comment:c1"


@pytest.mark.parametrize(("model", "threshold"), [("TOXICITY", 0.38), ("SEVERE_TOXICITY", 0)])
def test_discourse_flags_by_the_attribute_that_it_is_set_to(running, model, threshold):
    body = (
        '{"comment":{"text":"You are an idiot and nobody wants you here."},"doNotStore":true,'
        '"sessionId":"https://forum.example_42","requestedAttributes":{"MODEL":{"scoreType":'
        '"PROBABILITY"}}}'
    ).replace("MODEL", model)
    reply = running.post(
        "/v1alpha1/comments:analyze?key=any",
        body.encode(),
        Accept="*/*",
        Content_Type="application/json",
        User_Agent="Discourse/3.5.0",
    )
    [(attribute, scores)] = reply.json["attributeScores"].items()
    assert attribute == model
    assert scores["summaryScore"]["value"] > threshold


def test_discourse_gets_a_400_without_scores_for_german(running):
    reply = running.analyze("Dies ist ein ganz harmloser Beitrag auf Deutsch.", sessionId="s")
    assert reply.status == 400
    assert "attributeScores" not in reply.json


def test_what_the_npm_client_sends_is_scored(running):
    body = (
        '{"comment":{"text":"You are an idiot and nobody wants you here."},'
        '"requestedAttributes":{"TOXICITY":{}},"doNotStore":true}'
    )
    reply = running.post("/v1alpha1/comments:analyze?key=any", body.encode())
    assert reply.json["attributeScores"]["TOXICITY"]["summaryScore"]["value"] > 0.8
