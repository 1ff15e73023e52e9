"""Publishing to S3 and reading back, with the real client, over HTTP against moto's server."""

import json
import logging
import re
import shutil
import sys
from fnmatch import fnmatchcase

import boto3
import numpy as np
import pytest

from comment_toxicity import ModelError, load_classifier
from comment_toxicity.errors import PublishError
from comment_toxicity.fetch.hub import SMALL_FILES, WEIGHT_PATTERNS
from comment_toxicity.fetch.s3 import FILE_NAME
from finetune.__main__ import main
from finetune.publish.bundle import MODEL_FILES
from finetune.publish.publish import publish
from tests.publish.conftest import TEXTS, write_metrics

NAME = "s3://models/toxic/first"


def keys():
    client = boto3.client("s3")
    try:
        listing = client.list_objects_v2(Bucket="models")
    except client.exceptions.NoSuchBucket:
        return []
    return [item["Key"] for item in listing.get("Contents", [])]


def content(key):
    return boto3.client("s3").get_object(Bucket="models", Key=f"toxic/first/{key}")["Body"].read()


def put(key, body):
    boto3.client("s3").put_object(Bucket="models", Key=f"toxic/first/{key}", Body=body)


def version():
    return json.loads(content("current.json"))["version"]


# Publish → load → same scores


def test_a_published_model_gives_the_same_scores_when_loaded(s3, model):
    [name] = publish(model, [NAME], ["roc_auc_mean >= 0.97"])
    expected = load_classifier(model).score(TEXTS)
    for given in (NAME, name):
        found = load_classifier(given)
        assert np.array_equal(found.score(TEXTS), expected)
        assert found.calibrated


def test_a_model_is_stored_under_its_version_and_the_pointer_is_written_last(s3, model):
    publish(model, [NAME])
    prefix = f"toxic/first/versions/{version()}"
    names = {path.name for path in model.iterdir()} | {"manifest.json"}
    assert set(keys()) == {f"{prefix}/{name}" for name in names} | {"toxic/first/current.json"}
    written = [line.rsplit("/", 1)[1] for line in s3.asked if line.startswith("PUT /models/")]
    assert written[-2:] == ["manifest.json", "current.json"]


def test_the_published_card_has_its_own_address(published):
    assert f'load_classifier("{NAME}")' in content(f"versions/{version()}/README.md").decode()


def test_an_older_version_stays_and_can_be_read(s3, model):
    [old] = publish(model, [NAME])
    (model / "decision.json").unlink()
    publish(model, [NAME])
    assert not load_classifier(NAME).calibrated
    assert load_classifier(old).calibrated


def test_a_tag_cannot_be_moved_to_another_version(published, model):
    publish(model, [NAME], tags=["v1"])  # the same again is no other version
    (model / "decision.json").unlink()
    with pytest.raises(PublishError, match="tag v1 exists already"):
        publish(model, [NAME], tags=["v1"])
    publish(model, [NAME], tags=["v2"])
    assert load_classifier(f"{NAME}@v1").calibrated
    assert not load_classifier(f"{NAME}@v2").calibrated


def test_a_missing_bucket_is_created_in_the_configured_region(s3, model, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    publish(model, [NAME])
    answer = boto3.client("s3").get_bucket_location(Bucket="models")
    assert answer["LocationConstraint"] == "eu-central-1"


# Conditions


def test_a_failed_condition_sends_nothing_and_creates_no_bucket(s3, model):
    assert main(["publish", str(model), "--to", NAME, "--require", "f1.threat >= 0.5"]) == 3
    assert not any(line.startswith("PUT") for line in s3.asked)


def test_a_condition_can_compare_with_the_published_model(s3, model):
    publish(model, [NAME], ["roc_auc_mean >= published - 0.002"])
    before = version()
    words = ["publish", str(model), "--to", NAME, "--require", "roc_auc_mean >= published - 0.002"]
    write_metrics(model, 0.967)
    assert main(words) == 3
    assert version() == before
    write_metrics(model, 0.969)
    assert main(words) == 0
    assert version() != before


@pytest.mark.parametrize(
    "name",
    [
        "config.json", "decision.json", "audit.json", "tokenizer.json", "vocab.txt", "bpe.codes",
        "sentencepiece.bpe.model", "model.onnx", "model.safetensors",
        "model-00001-of-00002.safetensors", "model.safetensors.index.json",
    ],
)  # fmt: skip
def test_every_published_file_can_be_read_from_the_hub_and_from_s3(name):
    assert MODEL_FILES.fullmatch(name)
    assert FILE_NAME.fullmatch(name)
    assert any(fnmatchcase(name, pattern) for pattern in [*SMALL_FILES, *WEIGHT_PATTERNS])


# Credentials


def test_the_error_for_missing_credentials_says_where_to_put_them(s3, model, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(PublishError, match="no AWS credentials; put them into AWS_ACCESS_KEY_ID"):
        publish(model, [NAME])


def test_incomplete_credentials_are_reported(s3, model, monkeypatch):
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(
        PublishError, match="AWS credentials are missing or incomplete; put them into"
    ):
        publish(model, [NAME])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("AWS_SECRET_ACCESS_KEY", "wJalr XUtn", "odd character in the credentials"),
        ("AWS_ACCESS_KEY_ID", "AKID\nEXAMPLE", "odd character in the credentials"),
        ("AWS_PROFILE", "nobody", "profile .nobody. could not be found"),
        ("AWS_ENDPOINT_URL", "localhost", "fix AWS_ENDPOINT_URL"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9", "cannot be reached"),
    ],
)
def test_unusable_settings_are_reported_without_their_values(
    s3, model, monkeypatch, capfd, name, value, message
):
    monkeypatch.setenv(name, value)
    assert main(["publish", str(model), "--to", NAME]) == 2
    output = capfd.readouterr()
    assert re.search(message, output.err)
    assert "wJalr" not in output.err + output.out
    assert "AKID" not in output.err + output.out


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (403, "InvalidAccessKeyId", "does not accept the AWS credentials here"),
        (403, "SignatureDoesNotMatch", "does not accept the AWS credentials here"),
        (400, "ExpiredToken", "does not accept the AWS credentials here"),
        (403, "AccessDenied", "access is denied .* s3:PutObject"),
    ],
)
def test_refused_credentials_are_reported_with_the_needed_permission(
    s3, model, status, code, message
):
    s3.fail("PUT", "/versions/", (status, code))
    with pytest.raises(PublishError, match=message):
        publish(model, [NAME])
    assert "toxic/first/current.json" not in keys()


def test_read_only_credentials_are_reported_for_large_files_too(published, s3, model):
    (model / "model.safetensors").write_bytes((model / "model.safetensors").read_bytes() + b"\0")
    s3.fail("PUT", "/versions/.*/model.safetensors", (403, "AccessDenied"))
    with pytest.raises(PublishError, match="access is denied"):
        publish(model, [NAME])


def test_a_bucket_of_somebody_else_is_reported(s3, model):
    s3.fail("PUT", "^/models$", (409, "BucketAlreadyExists"))
    with pytest.raises(PublishError, match="belongs to someone else; choose another name"):
        publish(model, [NAME])


# Interruptions and others at work


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("HEAD", "^/models$", "close"),
        ("PUT", "^/models$", (409, "OperationAborted")),
        ("PUT", "/model.onnx", "close"),
        ("PUT", "/model.onnx", (500, "InternalError")),
        ("PUT", "/manifest.json", "close after"),
        ("PUT", "/current.json", "close"),
        ("PUT", "/current.json", "close after"),
        ("PUT", "/current.json", (409, "ConditionalRequestConflict")),
        ("PUT", "/current.json", (501, "NotImplemented")),
    ],
)
def test_a_broken_connection_or_a_conflict_is_retried(s3, model, method, path, action):
    s3.fail(method, path, action)
    publish(model, [NAME])
    assert np.array_equal(load_classifier(NAME).score(TEXTS), load_classifier(model).score(TEXTS))


def test_an_interrupted_upload_keeps_the_old_model_and_can_be_repeated(published, s3, model):
    old = load_classifier(NAME).score(TEXTS)
    (model / "decision.json").unlink()
    for _ in range(3):
        s3.fail("PUT", "/model.onnx", "close")
    with pytest.raises(PublishError, match="cannot be reached"):
        publish(model, [NAME])
    assert np.array_equal(load_classifier(NAME).score(TEXTS), old)
    sent = len([line for line in s3.asked if "/config.json" in line and "PUT" in line])
    publish(model, [NAME])
    assert not load_classifier(NAME).calibrated
    assert len([line for line in s3.asked if "/config.json" in line and "PUT" in line]) == sent


def test_publishing_the_same_again_sends_nothing(s3, model):
    first = publish(model, [NAME])
    before = len([line for line in s3.asked if line.startswith("PUT")])
    assert publish(model, [NAME]) == first
    assert len([line for line in s3.asked if line.startswith("PUT")]) == before


@pytest.mark.parametrize("moment", ["PUT /models/.*/model.onnx", "PUT /models/.*/current.json"])
def test_conditions_are_checked_again_when_somebody_else_publishes_meanwhile(
    published, s3, model, moment
):
    other = shutil.copytree(model, model.parent / "other")
    write_metrics(other, 0.99)
    write_metrics(model, 0.975)
    method, path = moment.split()
    s3.fail(method, path, lambda: publish(other, [NAME]))
    assert (
        main(["publish", str(model), "--to", NAME, "--require", "roc_auc_mean >= published"]) == 3
    )
    metrics = json.loads(content(f"versions/{version()}/metrics.json"))
    assert metrics["test"]["means"]["roc_auc"] == 0.99


# Reading


def test_a_second_load_requests_only_the_pointer(published, s3, model):
    load_classifier(NAME)
    s3.asked.clear()
    load_classifier(NAME)
    assert s3.asked == ["GET /models/toxic/first/current.json"]


def test_a_cached_version_needs_no_request(s3, model):
    [name] = publish(model, [NAME])
    load_classifier(name)
    s3.asked.clear()
    load_classifier(name)
    assert s3.asked == []


@pytest.mark.parametrize("name", [NAME, f"{NAME}@v1"])
def test_without_the_endpoint_the_cache_is_used_with_a_warning(published, s3, caplog, name):
    expected = load_classifier(name).score(TEXTS)
    for _ in range(3):
        s3.fail("GET", "/current.json|/v1.json", "close")
    with caplog.at_level(logging.WARNING, "comment_toxicity"):
        found = load_classifier(name)
    assert np.array_equal(found.score(TEXTS), expected)
    assert "cannot be reached; using the cached model" in caplog.text


def test_a_tag_called_current_is_not_the_newest_version(published, s3, model):
    publish(model, [NAME], tags=["current"])
    write_metrics(model, 0.98)
    publish(model, [NAME])
    newest = load_classifier(NAME).folder.path
    assert load_classifier(f"{NAME}@current").folder.path != newest
    for _ in range(3):
        s3.fail("GET", "/current.json", "close")
    assert load_classifier(NAME).folder.path == newest


def test_a_truncated_download_is_retried(published, s3):
    s3.fail("GET", "/model.onnx", "half")
    assert load_classifier(NAME).calibrated


def test_after_repeated_truncation_the_cache_is_used_with_a_warning(published, s3, model, caplog):
    assert load_classifier(NAME).calibrated
    (model / "decision.json").unlink()
    write_metrics(model, 0.98)
    publish(model, [NAME])
    for _ in range(5):  # as often as the client asks again
        s3.fail("GET", "/metrics.json", "half")
    with caplog.at_level(logging.WARNING, "comment_toxicity"):
        assert load_classifier(NAME).calibrated
    assert "cannot be reached; using the cached model" in caplog.text
    assert not load_classifier(NAME).calibrated


def test_without_endpoint_and_cache_the_error_is_clear(published, s3):
    for _ in range(3):
        s3.fail("GET", "/current.json", "close")
    with pytest.raises(ModelError, match="the endpoint cannot be reached"):
        load_classifier(NAME)


def test_an_interrupted_download_leaves_no_partial_model(published, s3, model):
    for _ in range(3):
        s3.fail("GET", "/model.onnx", "close")
    with pytest.raises(ModelError, match="cannot be reached"):
        load_classifier(NAME)
    assert load_classifier(NAME).calibrated


@pytest.mark.parametrize("file", ["tokenizer.json", "manifest.json"])
def test_a_damaged_file_in_the_cache_is_downloaded_again(published, file):
    path = load_classifier(NAME).folder.path / file
    path.write_text("{}")
    assert load_classifier(NAME).score(TEXTS).shape == (4, 6)


@pytest.mark.parametrize(
    ("name", "message"),
    [("tokenizer.json", "is not the file that was published"), ("manifest.json", "not the one")],
)
def test_a_file_changed_after_it_was_published_is_refused(published, name, message):
    put(f"versions/{version()}/{name}", b"{}")
    with pytest.raises(ModelError, match=message):
        load_classifier(NAME)


@pytest.mark.parametrize(
    "name", ["../../evil.json", "/etc/evil.json", "pytorch_model.bin", ".x.json"]
)
def test_a_manifest_cannot_name_a_pickle_or_a_path_outside(s3, model, tmp_path, name):
    import hashlib

    publish(model, [NAME])
    manifest = json.dumps({"files": {name: {"size": 2, "sha256": "0" * 64}}}).encode()
    forged = hashlib.sha256(manifest).hexdigest()[:32]
    put(f"versions/{forged}/manifest.json", manifest)
    put("current.json", json.dumps({"version": forged}).encode())
    with pytest.raises(ModelError, match="does not belong in a model folder"):
        load_classifier(NAME)
    assert list(tmp_path.rglob("evil.json")) == []


@pytest.mark.parametrize("pointer", [b"", b"[]", b'{"version": "../../x"}', b'{"version": 3}'])
def test_an_invalid_pointer_is_refused(published, pointer):
    put("current.json", pointer)
    with pytest.raises(ModelError, match="names no version"):
        load_classifier(NAME)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("s3://models/toxic/other", "no model is published there"),
        ("s3://no-such-bucket/first", "no model is published there"),
        (f"{NAME}@v9", "no such version or tag"),
        (f"{NAME}@{'0' * 32}", "there is no version"),
        ("s3://models", "not of the form s3://BUCKET/PREFIX"),
        ("s3://Models/x", "not of the form s3://BUCKET/PREFIX"),
        ("s3://models/a b", "not of the form s3://BUCKET/PREFIX"),
    ],
)
def test_a_missing_model_or_version_ends_in_one_clear_error(published, name, message):
    with pytest.raises(ModelError, match=message):
        load_classifier(name)


@pytest.mark.parametrize("public", [True, False])
def test_only_a_public_model_loads_without_credentials(published, monkeypatch, public):
    if public:
        for key in keys():
            boto3.client("s3").put_object_acl(Bucket="models", Key=key, ACL="public-read")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    if public:
        assert load_classifier(NAME).calibrated
    else:
        with pytest.raises(ModelError, match=r"access is denied .* put them into AWS_ACCESS"):
            load_classifier(NAME)


def test_without_boto3_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(
        ModelError, match=r'package boto3, .*: pip install "comment-toxicity\[s3\]"'
    ):
        load_classifier(NAME)
