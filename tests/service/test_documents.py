"""The discovery document and the OpenAPI document."""

import subprocess
import sys

import pytest

from comment_toxicity.service import documents, messages
from comment_toxicity.service.endpoints import endpoints


def test_the_discovery_document_names_the_host_that_was_asked(running):
    path = "/$discovery/rest?version=v1alpha1"
    document = running.get(path, Host="toxicity.example:8443").json
    assert document["rootUrl"] == "http://toxicity.example:8443/"
    proxied = running.get(path, Host="toxicity.example", X_Forwarded_Proto="https").json
    assert proxied["rootUrl"] == "https://toxicity.example/"
    assert "<" not in running.get(path, Host="toxicity.example/?a=<b>").json["rootUrl"]
    assert running.get("/$discovery/rest?version=v2").status == 404


def test_the_discovery_document_names_the_address_that_was_set(serving):
    with serving(public_url="https://toxicity.example/api/") as running:
        document = running.get("/$discovery/rest").json
    assert document["rootUrl"] == "https://toxicity.example/api/"


def test_the_discovery_document_describes_perspectives_messages(running):
    schemas = running.get("/$discovery/rest").json["schemas"]
    request = schemas["AnalyzeCommentRequest"]
    assert list(request["properties"]) == [
        *("comment", "context", "languages", "clientToken", "communityId", "sessionId"),
        *("requestedAttributes", "spanAnnotations", "doNotStore", "dropUnsupportedAttributes"),
    ]
    assert request["properties"]["requestedAttributes"] == {
        "type": "object",
        "additionalProperties": {"$ref": "AttributeParameters"},
    }
    assert schemas["SpanScore"]["properties"] == {
        "begin": {"type": "integer", "format": "int32"},
        "end": {"type": "integer", "format": "int32"},
        "score": {"$ref": "Score"},
    }
    assert schemas["TextEntry"]["properties"]["type"] == {
        "type": "string",
        "enum": list(messages.TEXT_TYPES),
        "enumDescriptions": list(messages.TEXT_TYPES),
    }


def test_a_field_that_perspective_did_not_have_is_in_the_openapi_document_alone(running):
    suggest = running.get("/$discovery/rest").json["schemas"]["SuggestCommentScoreRequest"]
    assert "doNotStore" not in suggest["properties"]
    path = running.get("/openapi.json").json["paths"]["/v1alpha1/comments:suggestscore"]
    schema = path["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema["properties"]["doNotStore"] == {"type": "boolean"}


def test_the_openapi_document_has_the_endpoints_that_have_a_summary(running):
    shown = running.get("/openapi.json").json["paths"]
    described = [entry.path for entry in endpoints(running.service) if entry.summary]
    assert list(shown) == described
    assert described == [
        *("/v1/score", "/v1/model", "/v1alpha1/comments:analyze"),
        *("/v1alpha1/comments:suggestscore", "/v1/moderations", "/v1/models"),
        *("/health/live", "/health/ready"),
    ]


def test_the_openapi_document_has_the_labels_of_the_model(running):
    document = documents.openapi(endpoints(running.service), ["rude"])
    post = document["paths"]["/v1/score"]["post"]
    request = post["requestBody"]["content"]["application/json"]["schema"]
    assert request["properties"]["labels"]["items"] == {"enum": ["rude"]}
    assert document["components"]["schemas"]["Scored"]["properties"]["labels"] == {
        "type": "array",
        "items": {"enum": ["rude"]},
    }


@pytest.mark.parametrize(
    ("paths", "left_out"),
    [
        # What it allows must be answered as it says, what it forbids be refused.
        (["/v1/score", "/v1/model", "/v1/moderations", "/v1/models"], "positive_data_acceptance"),
        # Google's format takes null for what is not set, and more than a schema can say.
        (
            ["/v1alpha1/comments:analyze", "/v1alpha1/comments:suggestscore", "/health/ready"],
            "positive_data_acceptance,negative_data_rejection",
        ),
    ],
)
def test_the_openapi_document_agrees_with_answers_to_generated_requests(
    ruled, paths, left_out, tmp_path
):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{ruled.url}/openapi.json"),
            *("--max-examples", "20", "--seed", "1", "--generation-database", "none"),
            *("--phases", "examples,coverage,fuzzing", "--exclude-checks", left_out),
            *("--warnings", "off", *(part for path in paths for part in ("--include-path", path))),
        ],
        cwd=tmp_path,  # it leaves notes for its next run
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout
