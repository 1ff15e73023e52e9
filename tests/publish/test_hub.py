"""Publishing to the Hub and reading back, with the real client, over HTTP."""

import hashlib
import json
import logging
import re
import shutil

import numpy as np
import pytest

from comment_toxicity import ModelError, load_classifier
from comment_toxicity.errors import PublishError, SettingsError
from finetune.__main__ import main
from finetune.publish.hub import hub_access
from finetune.publish.publish import publish
from tests.publish.conftest import TEXTS, write_metrics
from tests.publish.hub_server import Repository

NAME = "ann/first"

# huggingface_hub 2.4 sends LFS files in a way that httpx2 would have otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


def sent(hub):
    """The requests to the Hub that could have changed something."""
    return [line for line in hub.asked if line.startswith(("POST", "PUT"))]


def files(hub):
    return hub.repositories[NAME].commits[-1].files


# Publish → load → same scores


def test_a_published_model_gives_the_same_scores_when_loaded(hub, model):
    [name] = publish(model, ["hub:ann/first"], ["roc_auc_mean >= 0.97"])
    expected = load_classifier(model).score(TEXTS)
    for given in (NAME, name):
        found = load_classifier(given)
        assert np.array_equal(found.score(TEXTS), expected)
        assert found.calibrated
        assert found.thresholds == load_classifier(model).thresholds


def with_xet(hub, model, monkeypatch):
    """Upload large files by Xet, the client's default. The server does not read the blocks."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", False)
    for name in ("model.onnx", "model.safetensors"):
        content = (model / name).read_bytes()
        hub.large[hashlib.sha256(content).hexdigest()] = content


def test_large_files_can_go_by_xet(hub, model, monkeypatch):
    with_xet(hub, model, monkeypatch)
    publish(model, ["hub:ann/first"])
    assert "POST /xet/v1/shards" in hub.asked
    assert not any(line.startswith("PUT") for line in hub.asked)
    assert np.array_equal(load_classifier(NAME).score(TEXTS), load_classifier(model).score(TEXTS))


def test_xet_without_access_ends_in_one_clear_error(hub, model, monkeypatch):
    with_xet(hub, model, monkeypatch)
    hub.fail("GET", "/xet-write-token/", 403)
    with pytest.raises(PublishError, match="may not publish there: set HF_TOKEN"):
        publish(model, ["hub:ann/first"])
    assert len(hub.repositories[NAME].commits) == 1


def test_all_files_go_in_one_commit_that_names_the_metrics(hub, model):
    publish(model, ["hub:ann/first"])
    first, second = hub.repositories[NAME].commits
    assert first.message == "initial commit"
    assert re.search(r"6 labels: ROC-AUC 0\.9700, .* on 100 test rows", second.message)
    assert set(second.files) == {path.name for path in model.iterdir()} | {".gitattributes"}
    assert sum("/commit/main" in line for line in hub.asked) == 1


def test_the_published_card_has_its_own_address_and_metrics(hub, model):
    publish(model, ["hub:ann/first"])
    card = files(hub)["README.md"].decode()
    assert 'load_classifier("ann/first")' in card
    assert 'pipeline("text-classification", model="ann/first", top_k=None)' in card
    assert "model-index:" in card
    assert "value: 0.97" in card


def test_paths_of_this_machine_are_not_published(hub, model):
    publish(model, ["hub:ann/first"])
    record = json.loads(files(hub)["run.json"])
    assert record["settings"] == {"train_data": "rows.csv", "extra_data": ["more.csv"]}


def test_only_files_of_a_model_are_published(hub, model, capsys):
    for name in (".env", "pytorch_model.bin", "optimizer.pt", "notes.txt"):
        (model / name).write_text("secret")
    (model / "logs").mkdir()
    publish(model, ["hub:ann/first"])
    assert not {".env", "pytorch_model.bin", "optimizer.pt", "notes.txt"} & set(files(hub))
    assert "logs/, notes.txt, optimizer.pt, pytorch_model.bin" in capsys.readouterr().out


def test_a_url_that_contains_a_local_path_stays_whole(hub, model):
    settings = {"train_data": "https://host.example/data/rows.csv", "output_dir": "/data"}
    (model / "run.json").write_text(json.dumps({"settings": settings, "at": "/data/model"}))
    publish(model, ["hub:ann/first"])
    record = json.loads(files(hub)["run.json"])
    assert record["settings"] == settings | {"output_dir": "data"}
    assert record["at"] == "data/model"


def write_audit(model, accuracy, sha256=None):
    """Write an audit.json of the folder's weights, or of those with another SHA-256."""
    sha256 = sha256 or hashlib.sha256((model / "model.onnx").read_bytes()).hexdigest()
    audit = {"weights": {"file": "model.onnx", "sha256": sha256}}
    (model / "audit.json").write_text(json.dumps(audit | {"function": {"accuracy": accuracy}}))


def test_an_audit_is_published_judged_and_compared_with(hub, model, capsys):
    write_audit(model, 0.8)
    publish(model, ["hub:ann/first"], ["audit.function.accuracy >= 0.77"])
    assert "audit.json" in files(hub)
    assert (
        "conditions, on 100 test rows (those of an audit, on its own rows):"
        in capsys.readouterr().out
    )
    write_audit(model, 0.7)
    condition = ["--require", "audit.function.accuracy >= published - 0.01"]
    assert main(["publish", str(model), "--to", "hub:ann/first", *condition]) == 3
    assert re.search(r"FAIL .* 0\.7  \(published 0\.8\)", capsys.readouterr().out)


def test_an_audit_of_other_weights_is_neither_published_nor_judged(hub, model, capsys):
    write_audit(model, 0.8, "0" * 64)
    publish(model, ["hub:ann/first"])
    assert "audit.json" not in files(hub)
    assert "not uploaded: audit.json (of other weights)" in capsys.readouterr().out
    with pytest.raises(SettingsError, match=r"no audit\.json of these weights"):
        publish(model, ["hub:ann/first"], ["audit.function.accuracy >= 0.77"])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics.json", b'{"half":'),
        ("metrics.json", b"[]"),
        ("metrics.json", b'{"test": 0.9}'),
        ("metrics.json", b'{"test": {"means": [1]}}'),
        ("audit.json", b"[]"),
        ("run.json", b"[]"),
        ("run.json", b"\xff"),
        ("README.md", b"\xff"),
    ],
)
def test_a_broken_file_is_named_before_anything_is_sent(hub, model, name, content):
    (model / name).write_bytes(content)
    with pytest.raises(ModelError, match=name.replace(".", r"\.")):
        publish(model, ["hub:ann/first"])
    assert sent(hub) == []


@pytest.mark.parametrize("sharded", [False, True])
def test_a_pickle_alone_is_not_published(hub, model, sharded):
    for name in ("model.onnx", "model.safetensors", "decision.json"):
        (model / name).unlink()
    (model / "pytorch_model.bin").write_bytes(b"pickle")
    if sharded:
        (model / "pytorch_model.bin").rename(model / "part.bin")
        (model / "pytorch_model.bin.index.json").write_text('{"weight_map": {"a": "part.bin"}}')
    with pytest.raises(ModelError, match="are a pickle"):
        publish(model, ["hub:ann/first"])
    assert not hub.repositories


def test_files_of_the_older_model_are_deleted_in_the_same_commit(hub, model):
    publish(model, ["hub:ann/first"])
    (model / "decision.json").unlink()
    (model / "model.onnx").unlink()
    publish(model, ["hub:ann/first"])
    assert len(hub.repositories[NAME].commits) == 3
    assert "model.onnx" not in files(hub)
    assert ".gitattributes" in files(hub)
    assert not load_classifier(NAME).calibrated


def test_a_new_repository_is_private_on_request(hub, model):
    publish(model, ["hub:ann/first"], private=True)
    publish(model, ["hub:ann/second"])
    assert hub.repositories["ann/first"].private
    assert not hub.repositories["ann/second"].private


def test_a_private_model_is_not_sent_to_a_public_repository(hub, model):
    publish(model, ["hub:ann/first"])
    with pytest.raises(PublishError, match="is public; make it private"):
        publish(model, ["hub:ann/first"], private=True)


def test_a_tag_cannot_be_moved_to_another_version(hub, model):
    write_metrics(model, 0.97)
    publish(model, ["hub:ann/first"], tags=["v1"])
    publish(model, ["hub:ann/first"], tags=["v1"])  # the same again is no other version
    old = load_classifier(model).score(TEXTS)
    (model / "decision.json").unlink()
    with pytest.raises(PublishError, match="tag v1 exists already"):
        publish(model, ["hub:ann/first"], tags=["v1"])
    publish(model, ["hub:ann/first"], tags=["v2"])
    assert np.array_equal(load_classifier("ann/first@v1").score(TEXTS), old)
    assert not load_classifier("ann/first@v2").calibrated


# Conditions


def test_a_failed_condition_sends_nothing_and_has_its_own_exit_code(hub, model, capsys):
    code = main(["publish", str(model), "--to", "hub:ann/first", "--require", "f1.threat >= 0.5"])
    assert code == 3
    assert sent(hub) == []
    output = capsys.readouterr()
    assert re.search(r"FAIL +f1\.threat >= 0\.5 +0\.4", output.out)
    assert "nothing was uploaded" in output.err


def test_a_condition_that_fails_for_one_target_stops_all_targets(hub, model):
    publish(model, ["hub:ann/second"])
    before = len(sent(hub))
    write_metrics(model, 0.96)
    targets = ["--to", "hub:ann/first", "--to", "hub:ann/second"]
    condition = ["--require", "roc_auc_mean >= published - 0.002"]
    assert main(["publish", str(model), *targets, *condition]) == 3
    assert len(sent(hub)) == before


def test_a_dry_run_shows_files_and_conditions_without_a_request(hub, model, capsys, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    words = ["publish", str(model), "--to", "hub:ann/first", "--require", "rows >= 50", "--dry-run"]
    assert main(words) == 0
    output = capsys.readouterr().out
    size = (model / "model.onnx").stat().st_size
    assert re.search(rf"{size:,} +model\.onnx", output)
    assert re.search(r"pass +rows >= 50 +100", output)
    assert hub.asked == []


def test_a_dry_run_compares_with_what_is_published(hub, model):
    publish(model, ["hub:ann/first"])
    write_metrics(model, 0.9)
    before = len(sent(hub))
    words = ["--require", "roc_auc_mean >= published", "--dry-run"]
    assert main(["publish", str(model), "--to", "hub:ann/first", *words]) == 3
    assert len(sent(hub)) == before


# Tokens


def test_the_error_for_a_missing_token_says_where_to_put_it(hub, model, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(PublishError, match="no token for the Hub: set HF_TOKEN, or run `hf auth"):
        publish(model, ["hub:ann/first"])


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("hf_two words", "contains an invalid character"),
        ("hf_ümlaut", "contains an invalid character"),
        ("hf_unknown", "does not accept the token"),
        ("hf_read", "“laptop” of ann can only read"),
        ("hf_fine", "no permission to write to ann/first"),
    ],
)
def test_a_token_that_cannot_write_is_named_but_never_shown(
    hub, model, monkeypatch, capfd, token, message
):
    monkeypatch.setenv("HF_TOKEN", token)
    assert main(["publish", str(model), "--to", "hub:ann/first"]) == 2
    output = capfd.readouterr()
    assert message in output.err
    assert "settings/tokens" in output.err
    assert token not in output.err + output.out
    assert sent(hub) == []


def test_a_token_for_one_repository_may_publish_there(hub, model, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_fine")
    publish(model, ["hub:ann/only-this"])
    assert "model.onnx" in hub.repositories["ann/only-this"].commits[-1].files


@pytest.mark.parametrize(("owner", "may"), [("ann", True), ("club", True), ("readers", False)])
def test_access_depends_on_whose_repository_it_is(hub, owner, may):
    access = hub_access(f"{owner}/first")
    assert (access.user, access.may_write) == ("ann", may)
    assert bool(access.problem) is not may


@pytest.fixture
def lent(hub, monkeypatch):
    """A CI job's token for ann/first, by the client's own settings."""
    monkeypatch.setattr("huggingface_hub.utils._auth._OIDC_TOKEN_CACHE", None)
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setenv("HF_OIDC_RESOURCE", "ann/first")
    monkeypatch.setenv("HF_OIDC_ID_TOKEN", "of the job")


def test_a_ci_job_publishes_without_a_stored_token(hub, model, lent):
    hub.repositories[NAME] = Repository()
    hub.repositories[NAME].add("made on the site", {})
    publish(model, ["hub:ann/first"])
    assert "model.onnx" in files(hub)


def test_a_token_lent_for_another_repository_is_reported(hub, model, lent):
    with pytest.raises(PublishError, match="for ann/first only"):
        publish(model, ["hub:ann/second"])
    assert [line for line in sent(hub) if "oauth" not in line] == []


def test_an_untrusted_ci_job_ends_in_one_clear_error(hub, model, lent, monkeypatch):
    monkeypatch.setenv("HF_OIDC_ID_TOKEN", "of another job")
    with pytest.raises(PublishError, match="token for the Hub cannot be read"):
        publish(model, ["hub:ann/first"])


def test_access_without_a_network_is_reported_as_unreachable(hub):
    hub.stop()
    access = hub_access()
    assert not access.may_write
    assert "cannot be reached" in access.problem


def test_a_refused_commit_ends_in_one_clear_error(hub, model):
    hub.fail("POST", "/commit/main", 403)
    with pytest.raises(PublishError, match=r"may not publish there \(403\): set HF_TOKEN"):
        publish(model, ["hub:ann/first"])
    assert "model.onnx" not in files(hub)


def test_publishing_in_offline_mode_names_the_setting(hub, model, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(PublishError, match="HF_HUB_OFFLINE is set"):
        publish(model, ["hub:ann/first"])


# Interruptions and others at work


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("POST", "/preupload/", "close"),
        ("POST", "/preupload/", 503),
        ("POST", "/objects/batch", 500),
        ("PUT", "/large/", "close"),
        ("PUT", "/large/", 500),
        ("POST", "/commit/main", "close"),
        ("POST", "/commit/main", "close after"),
    ],
)
def test_a_broken_connection_is_retried(hub, model, method, path, action):
    hub.fail(method, path, action)
    publish(model, ["hub:ann/first"])
    assert len(hub.repositories[NAME].commits) == 2
    assert np.array_equal(load_classifier(NAME).score(TEXTS), load_classifier(model).score(TEXTS))


def test_an_interrupted_upload_keeps_the_old_model_and_can_be_repeated(hub, model):
    publish(model, ["hub:ann/first"])
    old = load_classifier(NAME).score(TEXTS)
    (model / "decision.json").unlink()
    for _ in range(3):
        hub.fail("POST", "/commit/main", "close")
    with pytest.raises(PublishError, match="Run the same command again"):
        publish(model, ["hub:ann/first"])
    assert np.array_equal(load_classifier(NAME).score(TEXTS), old)
    publish(model, ["hub:ann/first"])
    assert not load_classifier(NAME).calibrated


def test_publishing_the_same_again_makes_no_commit(hub, model):
    [first] = publish(model, ["hub:ann/first"])
    [second] = publish(model, ["hub:ann/first"])
    assert first == second
    assert len(hub.repositories[NAME].commits) == 2


def someone_elses(hub, model, roc_auc):
    """Return a function that publishes a model with this metric, as somebody else would."""

    def act():
        other = model.parent / "other"
        shutil.copytree(model, other)
        write_metrics(other, roc_auc)
        repository = hub.repositories[NAME]
        content = {path.name: path.read_bytes() for path in other.iterdir()}
        repository.add("somebody else's", repository.commits[-1].files | content)

    return act


@pytest.mark.parametrize("moment", ["/refs", "/preupload/", "/commit/main"])
def test_conditions_are_checked_again_when_somebody_else_publishes_meanwhile(hub, model, moment):
    publish(model, ["hub:ann/first"])
    write_metrics(model, 0.975)
    method = "GET" if moment == "/refs" else "POST"
    hub.fail(method, moment, someone_elses(hub, model, 0.99))
    words = ["publish", str(model), "--to", "hub:ann/first"]
    assert main([*words, "--require", "roc_auc_mean >= published"]) == 3
    assert json.loads(files(hub)["metrics.json"])["test"]["means"]["roc_auc"] == 0.99


@pytest.mark.parametrize("status", [409, 412])
def test_a_conflict_is_retried(hub, model, status):
    hub.fail("POST", "/commit/main", status)
    publish(model, ["hub:ann/first"])
    assert "model.onnx" in files(hub)


def test_endless_conflicts_end_in_an_error(hub, model):
    for _ in range(9):
        hub.fail("POST", "/commit/main", 409)
    with pytest.raises(PublishError, match="somebody else keeps publishing there"):
        publish(model, ["hub:ann/first"])


# Reading


@pytest.mark.parametrize("action", ["half", "close"])
def test_an_interrupted_download_is_resumed(hub, model, action):
    publish(model, ["hub:ann/first"])
    hub.fail("GET", "/resolve/.*/model.onnx", action)
    assert np.array_equal(load_classifier(NAME).score(TEXTS), load_classifier(model).score(TEXTS))


def test_a_server_error_of_the_hub_ends_in_one_clear_error(hub, model):
    publish(model, ["hub:ann/first"])
    hub.fail("GET", "/resolve/.*/model.onnx", 503)
    with pytest.raises(ModelError, match="answers with 503; try again later"):
        load_classifier(NAME)


def test_only_the_weights_that_are_read_are_downloaded(hub, model):
    publish(model, ["hub:ann/first"])
    load_classifier(NAME)
    assert not any("model.safetensors" in line for line in hub.asked if "/resolve/" in line)


def test_all_files_of_sharded_weights_are_downloaded(hub, tiny_base, tmp_path):
    from transformers import AutoModelForSequenceClassification

    folder = shutil.copytree(tiny_base, tmp_path / "shards")
    (folder / "model.safetensors").unlink()
    base = AutoModelForSequenceClassification.from_pretrained(tiny_base)
    base.save_pretrained(folder, max_shard_size="8KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    repository = hub.repositories[NAME] = Repository()
    repository.add("by hand", {path.name: path.read_bytes() for path in folder.iterdir()})
    expected = load_classifier(str(tiny_base)).score(TEXTS)
    assert np.array_equal(load_classifier(NAME).score(TEXTS), expected)


def test_a_second_load_downloads_nothing(hub, model):
    publish(model, ["hub:ann/first"])
    load_classifier(NAME)
    before = len(hub.asked)
    load_classifier(NAME)
    assert not any("/resolve/" in line for line in hub.asked[before:])


@pytest.mark.parametrize("how", ["offline by setting", "nobody answers", "500"])
def test_without_the_hub_the_cache_is_used_with_a_warning(hub, model, monkeypatch, caplog, how):
    publish(model, ["hub:ann/first"])
    expected = load_classifier(NAME).score(TEXTS)
    if how == "offline by setting":
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    elif how == "500":
        hub.fail("GET", "/api/models/ann/first$", 500)
    else:
        hub.stop()
    with caplog.at_level(logging.WARNING, "comment_toxicity"):
        found = load_classifier(NAME)
    assert np.array_equal(found.score(TEXTS), expected)
    assert "ann/first: the Hub cannot be reached; using the cached model" in caplog.text


def test_a_failed_download_does_not_hide_the_cached_older_model(hub, model):
    publish(model, ["hub:ann/first"])
    assert load_classifier(NAME).calibrated
    write_metrics(model, 0.98)
    (model / "decision.json").unlink()
    publish(model, ["hub:ann/first"])
    hub.fail("GET", "/resolve/.*/metrics.json", 503)
    with pytest.raises(ModelError, match="answers with 503"):
        load_classifier(NAME)
    hub.stop()
    assert load_classifier(NAME).calibrated


def test_a_newer_model_is_downloaded(hub, model):
    publish(model, ["hub:ann/first"])
    assert load_classifier(NAME).calibrated
    (model / "decision.json").unlink()
    publish(model, ["hub:ann/first"])
    assert not load_classifier(NAME).calibrated


@pytest.mark.parametrize("name", ["config.json", "model.onnx"])
def test_a_damaged_file_in_the_cache_is_downloaded_again(hub, model, name):
    publish(model, ["hub:ann/first"])
    path = load_classifier(NAME).folder.path / name
    path.resolve().write_bytes(b"{}")
    assert load_classifier(NAME).score(TEXTS).shape == (4, 6)


def test_a_damaged_file_in_the_cache_is_named_without_a_network(hub, model, monkeypatch):
    publish(model, ["hub:ann/first"])
    path = load_classifier(NAME).folder.path / "tokenizer.json"
    path.resolve().write_bytes(b"{}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"tokenizer\.json: not the file that is on the Hub"):
        load_classifier(NAME)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ann/nothing", "no such model on the Hub, or a private one"),
        ("ann/first@v9", "has no such revision"),
        (f"ann/first@{'0' * 40}", "has no such revision"),
    ],
)
def test_a_missing_model_or_version_ends_in_one_clear_error(hub, model, name, message):
    publish(model, ["hub:ann/first"])
    with pytest.raises(ModelError, match=message):
        load_classifier(name)


def test_a_private_model_needs_a_token(hub, model, monkeypatch):
    publish(model, ["hub:ann/first"], private=True)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(ModelError, match="needs a token: set HF_TOKEN"):
        load_classifier(NAME)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(ModelError, match="renew the token"):
        load_classifier(NAME)


# Plain transformers


def test_a_transformers_pipeline_gives_the_same_uncalibrated_probabilities(hub, model):
    from transformers import pipeline

    publish(model, ["hub:ann/first"])
    classify = pipeline("text-classification", model=NAME, top_k=None)
    classifier = load_classifier(model)
    (model / "model.onnx").unlink()
    (model / "decision.json").unlink()
    in_fp32 = load_classifier(model)
    for scores, text in zip(classify(TEXTS), TEXTS, strict=True):
        found = [
            {score["label"]: score["score"] for score in scores}[label] for label in in_fp32.labels
        ]
        assert np.allclose(found, in_fp32.score([text])[0], atol=1e-6)
        # ... and so nearly those of the int8 weights before calibration
        logits = classifier.logits([text])[0].astype(float)
        assert np.allclose(found, 1 / (1 + np.exp(-logits)), atol=0.1)
        assert not np.isclose(sum(found), 1, atol=0.01)
