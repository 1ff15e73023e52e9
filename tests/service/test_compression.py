"""Compressed request bodies, as Google's clients for Java and .NET send them unasked."""

import gzip
import json
import zlib

import pytest

from comment_toxicity.service.compression import Decompressor
from comment_toxicity.service.errors import ApiError
from tests.service.conftest import KIND, RUDE

ANALYZE = json.dumps({"comment": {"text": RUDE}, "requestedAttributes": {"TOXICITY": {}}}).encode()
SUGGEST = json.dumps(
    {"comment": {"text": RUDE}, "attributeScores": {"TOXICITY": {"summaryScore": {"value": 1}}}}
).encode()
SCORE = json.dumps({"texts": [KIND, RUDE]}).encode()
BATCH = (
    b"--b\r\nContent-Type: application/http\r\n\r\nPOST /v1alpha1/comments:analyze HTTP/1.1\r\n\r\n"
    + ANALYZE
    + b"\r\n--b--"
)


def raw_deflate(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1alpha1/comments:analyze", ANALYZE),
        ("/v1alpha1/comments:suggestscore", SUGGEST),
        ("/v1/score", SCORE),
        ("/batch", BATCH),
    ],
)
def test_every_address_that_takes_a_body_takes_it_compressed(running, path, body):
    headers = {"Content_Type": "multipart/mixed; boundary=b"} if path == "/batch" else {}
    plain = running.post(path, body, **headers)
    packed = running.post(path, gzip.compress(body), Content_Encoding="gzip", **headers)
    assert (plain.status, packed.status) == (200, 200)
    if path != "/batch":  # whose answer has a random boundary
        assert packed.body == plain.body


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("X-GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("identity", bytes),
        ("gzip", lambda data: gzip.compress(data[:20]) + gzip.compress(data[20:])),
    ],
    ids=["gzip", "old name", "deflate", "deflate without header", "identity", "two members"],
)
def test_an_encoding_unpacks_to_the_body_however_it_arrives(encoding, pack):
    packed = pack(SCORE)
    for size in (1, 7, len(packed)):
        decompressor = Decompressor(encoding, 10_000)
        parts = [packed[start : start + size] for start in range(0, len(packed), size)]
        assert b"".join(map(decompressor.unpack, parts)) == SCORE
        decompressor.finish()


@pytest.mark.parametrize("encoding", ["br", "gzip, br", "zstd"])
def test_another_encoding_is_refused_with_those_that_would_do(running, encoding):
    reply = running.post("/v1/score", SCORE, Content_Encoding=encoding)
    assert reply.status == 415
    assert reply.headers["accept-encoding"] == "gzip, deflate"


def test_a_body_counts_by_its_unpacked_size(serving):
    with serving(max_body=1000) as running:
        body = json.dumps({"texts": ["a " * 2000]}).encode()
        assert len(gzip.compress(body)) < 1000
        reply = running.post("/v1/score", gzip.compress(body), Content_Encoding="gzip")
        assert reply.status == 413


def test_a_megabyte_that_unpacks_to_a_gigabyte_is_left_packed():
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(1000)) + packer.flush()
    decompressor = Decompressor("gzip", 2_000_000)
    with pytest.raises(ApiError) as refused:
        decompressor.unpack(bomb)
    assert refused.value.code == 413


def test_endless_empty_members_are_too_large_at_last():
    decompressor = Decompressor("gzip", 10_000)
    with pytest.raises(ApiError, match="exceeds the limit"):
        for _ in range(1000):
            decompressor.unpack(gzip.compress(b""))


@pytest.mark.parametrize("body", [SCORE, gzip.compress(SCORE)[:-9], gzip.compress(SCORE) + b"more"])
def test_a_body_that_is_not_compressed_as_it_says_is_refused(running, body):
    reply = running.post("/v1/score", body, Content_Encoding="gzip")
    assert reply.status == 400
    assert "compressed" in reply.json["error"]["message"]
