"""Thousands of malformed bodies, the same ones each time: never a 5xx, never a hang."""

import copy
import http.client
import json
import random
from contextlib import closing
from urllib.parse import urlsplit

import pytest

SEEDS = {
    "/v1alpha1/comments:analyze?key=any": {
        "comment": {"text": "you idiot", "type": "PLAIN_TEXT"},
        "requestedAttributes": {"TOXICITY": {"scoreType": "PROBABILITY", "scoreThreshold": 0.1}},
        "languages": ["en"],
        "spanAnnotations": True,
        "clientToken": "t",
        "context": {"entries": [{"text": "a"}]},
        "communityId": "a",
        "explain": True,
    },
    "/v1alpha1/comments:suggestscore?key=any": {
        "comment": {"text": "you idiot"},
        "attributeScores": {
            "TOXICITY": {
                "summaryScore": {"value": 1},
                "spanScores": [{"begin": 0, "end": 3, "score": {"value": 1}}],
            }
        },
        "communityId": "c",
    },
    "/v1/score": {
        "texts": ["you idiot", "", 3],
        "labels": ["toxic"],
        "explain": True,
        "policy": "a",
        "ids": ["i", None],
    },
    "/v1/moderations": {"model": "ours:a", "input": [{"type": "text", "text": "you idiot"}]},
    "/v1/moderations?key=any": {"model": "any", "input": ["you idiot", " "]},
    "/batch": "--b\r\nContent-Type: application/http\r\nContent-ID: <a>\r\n\r\n"
    "POST /v1alpha1/comments:analyze HTTP/1.1\r\n\r\n{comment:{text:'hi'}}\r\n--b--",
}
ODD = [
    *(None, True, False, 0, -1, 1e308, 2**70, "", " ", "\0", "\ud800", "\u202e", "x" * 30_000),
    *([], {}, [[]], [{}], {"": ""}, [None], "NaN", 0.5, "PROBABILITY", ["en", "xx"], [1, "a"]),
    *({"TOXICITY": None}, {"TOXICITY": {"scoreThreshold": "1e400"}}, {"text": ["a"]}),
]
ODD_BYTES = [
    *(b"\xff\xfe", b"\0", b"{", b"}", b"[", b'"', b"\\u", b"NaN", b"1e999999", b"//", b"/*"),
    *(b"Infinity", b"0x", b"'", b",,", b"\\ud83d", b"[" * 3000, b"{a:" * 3000, b"9" * 5000),
]


def paths(value, path=()):
    """Yield the path of every value in nested lists and objects."""
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in children:
        if isinstance(child, dict | list):
            yield from paths(child, (*path, key))
        else:
            yield (*path, key)


def spoilt(seed, chance):
    """Change a body: its values, its keys, then perhaps its bytes."""
    if isinstance(seed, str):
        body = seed.encode()
    else:
        value = copy.deepcopy(seed)
        for _ in range(chance.randint(0, 3)):
            path = chance.choice(list(paths(value)))
            if not path:
                value = chance.choice([value, chance.choice(ODD)])
                break
            parent = value
            for key in path[:-1]:
                parent = parent[key]
            if isinstance(parent, dict) and chance.random() < 0.3:
                parent[chance.choice(["", "TOXICITY", "comment", "\ud800", "é"])] = parent.pop(
                    path[-1]
                )
            else:
                parent[path[-1]] = copy.deepcopy(chance.choice(ODD))
            if not isinstance(value, dict | list):
                break
        body = json.dumps(value).encode()
    for _ in range(chance.choice([0, 0, 1, 3])):
        start = chance.randrange(len(body) + 1)
        end = min(len(body), start + chance.choice([0, 1, 5, 100]))
        body = body[:start] + chance.choice([b"", *ODD_BYTES]) + body[end:]
    return body


@pytest.mark.parametrize(("path", "count"), [(path, 1000) for path in SEEDS])
def test_no_malformed_body_causes_a_5xx_or_a_hang(ruled, path, count):
    chance = random.Random(path)
    netloc = urlsplit(ruled.url).netloc
    kind = "multipart/mixed; boundary=b" if path == "/batch" else "application/json"
    statuses = set()
    with closing(http.client.HTTPConnection(netloc, timeout=30)) as connection:
        for _ in range(count):
            body = spoilt(SEEDS[path], chance)
            connection.request("POST", path, body, {"Content-Type": kind})
            reply = connection.getresponse()
            content = reply.read()
            statuses.add(reply.status)
            assert reply.status < 500, (body[:500], content)
            if reply.headers.get_content_type() == "application/json":
                json.loads(content)
    assert {200, 400} <= statuses  # some were good, so the others were near it
