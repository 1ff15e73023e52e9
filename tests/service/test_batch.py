"""POST /batch: many requests in one, as Google's clients send them."""

import email
import json

import pytest

from comment_toxicity.service import batch, service
from tests.service.conftest import KIND, RUDE, until

ANALYZE = "/v1alpha1/comments:analyze?key=any&alt=json"


def part(body, path=ANALYZE, name="<one + 1>", end="\r\n", method="POST"):
    head = ["Content-Type: application/http", f"Content-ID: {name}", ""]
    head += [f"{method} {path} HTTP/1.1", "Content-Type: application/json", "", ""]
    return end.join(head) + json.dumps(body)


def send(running, parts, end="\r\n", path="/batch", **headers):
    body = "".join(f"--edge{end}{content}{end}" for content in parts) + f"--edge--{end}"
    kind = 'multipart/mixed; boundary="edge"'
    return running.post(path, body.encode(), Content_Type=kind, **headers)


def answers(reply):
    """Return each part's Content-ID, status and JSON."""
    assert reply.status == 200
    head = f"Content-Type: {reply.headers['content-type']}\r\n\r\n".encode()
    found = []
    for one in email.message_from_bytes(head + reply.body).get_payload():
        first, _, body = one.get_payload().partition("\r\n\r\n")
        found.append((one["Content-ID"], int(first.split(" ")[1]), json.loads(body)))
    return found


def ask(text):
    return {"comment": {"text": text}, "requestedAttributes": {"TOXICITY": {}}}


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("path", ["/batch", "/batch/commentanalyzer/v1alpha1"])
def test_each_part_gets_its_own_answer_in_order(running, end, path):
    parts = [part(ask(text), name=f"<id + {text[:2]}>", end=end) for text in (KIND, RUDE)]
    (first, status, kind), (second, _, rude) = answers(send(running, parts, end, path))
    assert (first, second, status) == ("<response-id + Th>", "<response-id + Yo>", 200)
    values = [r["attributeScores"]["TOXICITY"]["summaryScore"]["value"] for r in (kind, rude)]
    assert values[0] < 0.1 < 0.8 < values[1]


def test_a_bad_part_does_not_stop_the_others(running):
    parts = [
        part(ask("")),
        part(ask(RUDE), path="/nowhere"),
        part(ask(RUDE), path="/batch"),
        part(ask(RUDE), path="http://[broken"),
        "no headers at all",
        part(ask(RUDE)),
    ]
    assert [status for _, status, _ in answers(send(running, parts))] == [
        *(400, 404, 404, 400, 400, 200)
    ]


@pytest.mark.parametrize("path", ["/metrics", "/v1/model", "/health/live", "/openapi.json"])
def test_a_batch_reaches_only_endpoints_that_score(running, path):
    [(_, status, _)] = answers(send(running, [part({}, path, method="GET")]))
    assert status == 404
    assert running.get(path).status == 200


def test_parts_beyond_the_size_limit_of_answers_are_refused(running, monkeypatch):
    monkeypatch.setattr(batch, "MAX_ANSWERS", 1000)
    replies = answers(send(running, [part(ask(KIND)) for _ in range(20)]))
    statuses = [status for _, status, _ in replies]
    assert statuses == [200] * statuses.count(200) + [413] * statuses.count(413)
    assert 5 < statuses.count(413) < 20
    assert "in a smaller batch" in replies[-1][2]["error"]["message"]


def test_a_batch_with_large_answers_counts_as_a_large_request(running, monkeypatch):
    parts = [part(ask(KIND)) for _ in range(20)]
    sent, answered = len("".join(parts)) + 200, len(send(running, parts).body)
    assert sent < answered
    monkeypatch.setattr(batch, "LARGE", (sent + answered) // 2)
    assert len(answers(send(running, parts))) == 20
    until(lambda: not running.service._large)
    monkeypatch.setattr(service, "MAX_LARGE", 0)
    assert send(running, parts).status == 503


def test_the_key_of_a_part_can_be_in_the_part_or_the_whole_request(serving, monkeypatch):
    monkeypatch.setenv("TOXICITY_API_KEYS", "good")
    with serving() as running:
        mixed = [
            part(ask(KIND), path="/v1alpha1/comments:analyze?key=good"),
            part(ask(KIND), path="/v1alpha1/comments:analyze?key=bad"),
            part(ask(KIND), path="/v1alpha1/comments:analyze"),
        ]
        assert [status for _, status, _ in answers(send(running, mixed))] == [200, 400, 403]
        without = [part(ask(KIND), path="/v1alpha1/comments:analyze")]
        for given in ({"path": "/batch?key=good"}, {"X_Goog_Api_Key": "good"}):
            assert answers(send(running, without, **given))[0][1] == 200


def test_a_content_id_cannot_inject_a_header(running):
    reply = send(running, [part(ask(KIND), name="<a>\x0bSet-Cookie: b")])
    assert b"\x0b" not in reply.body
    assert answers(reply)[0][1] == 200


def test_behind_a_path_the_parts_can_include_it(serving):
    path = "/api/v1alpha1/comments%3Aanalyze"
    with serving(public_url="https://toxicity.example/api/") as running:
        assert answers(send(running, [part(ask(KIND), path=path)]))[0][1] == 200
        assert answers(send(running, [part(ask(KIND))]))[0][1] == 200


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "multipart/mixed; boundary=edge"),
        (b"--edge--", "multipart/mixed; boundary=edge"),
        (b"anything", "multipart/mixed"),
        (b"anything", "multipart/mixed; boundary*=x%00''y"),
        (b"{}", "application/json"),
        (b"--edge\r\n\r\n" * 1001, "multipart/mixed; boundary=edge"),
    ],
)
def test_a_malformed_batch_is_refused(running, body, kind):
    assert running.post("/batch", body, Content_Type=kind).status == 400
