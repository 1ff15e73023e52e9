"""Models for workers: threads, devices, and what is sent to another process."""

import json
import pickle
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest

from comment_toxicity import ModelError, SettingsError, load_classifier
from comment_toxicity.cpu import cores, keep_torch_to_cores, torch_device
from comment_toxicity.engines import batches_by_length
from tests.running import ROOT

TEXTS = ["thanks for the help", "you stupid idiot", "go away " * 40, ""]

SCORE_IN_ANOTHER_PROCESS = """
import pickle, sys
from pathlib import Path

classifier = pickle.loads(sys.stdin.buffer.read())
sys.stdout.buffer.write(classifier.score(["you stupid idiot"]).tobytes())
print(sorted({"torch", "transformers", "pyarrow"} & set(sys.modules)), file=sys.stderr)
"""


def test_any_number_of_threads_has_the_same_scores(tiny, exported):
    for threads in (1, 3):
        scores = load_classifier(exported, threads=threads).score(TEXTS)
        assert np.array_equal(scores, tiny.score(TEXTS), equal_nan=True)


def test_a_classifier_starts_no_more_threads_than_it_is_given(exported):
    before = threading.active_count()
    load_classifier(exported, threads=2).score(["word " * 50 * number for number in range(1, 30)])
    assert threading.active_count() - before <= 2


@pytest.mark.parametrize("folder", ["exported", "tiny_base"])
def test_fewer_threads_than_one_are_refused(folder, request):
    with pytest.raises(SettingsError, match="threads is 0; give at least 1"):
        load_classifier(request.getfixturevalue(folder), threads=0)


def test_torch_is_kept_to_the_threads_of_the_worker(tiny_base):
    import torch

    before = torch.get_num_threads()
    try:
        load_classifier(tiny_base, threads=1)
        assert torch.get_num_threads() == 1
        keep_torch_to_cores(10_000)
        assert torch.get_num_threads() == cores()
    finally:
        torch.set_num_threads(before)


def test_auto_takes_a_gpu_only_where_torch_finds_one(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert torch_device("auto") == "cpu"
    with pytest.raises(ModelError, match=r"device cuda: torch \S+ finds none here; use cpu or"):
        torch_device("cuda")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert torch_device("auto") == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert torch_device("auto") == "cuda"
    assert torch_device("cpu") == "cpu"


def test_scores_do_not_depend_on_the_batch_of_a_gpu(tiny_base, monkeypatch):
    device = torch_device("auto")  # a CPU computes the same batches, where there is no GPU
    texts = ["you fool " * number for number in range(1, 15)] + ["good page", "stupid " * 60]
    alone = load_classifier(tiny_base, device="cpu").score(texts)
    monkeypatch.setattr("comment_toxicity.engines.TOKENS_AT_A_TIME", {device: 100})
    padded = load_classifier(tiny_base, device=device)
    sizes = []
    padded._engine._model.register_forward_pre_hook(
        lambda model, _, inputs: sizes.append(inputs["input_ids"].shape), with_kwargs=True
    )
    np.testing.assert_allclose(padded.score(texts), alone, rtol=0, atol=1e-5)
    np.testing.assert_allclose(padded.score(texts[::-1]), alone[::-1], rtol=0, atol=1e-5)
    assert max(rows for rows, _ in sizes) > 3
    assert max(rows * tokens for rows, tokens in sizes) <= 100


def test_windows_are_batched_with_those_of_similar_lengths():
    lengths = [5, 30, 4, 6, 200, 29]
    assert list(batches_by_length(lengths, 60)) == [[2, 0, 3], [5, 1], [4]]
    assert list(batches_by_length(lengths, 0)) == [[0], [1], [2], [3], [4], [5]]
    assert list(batches_by_length([], 60)) == []


def test_an_unknown_device_and_a_gpu_for_an_onnx_model_are_refused(exported):
    with pytest.raises(SettingsError, match="device 'gpu': use one of auto, cpu, cuda, mps"):
        load_classifier(exported, device="gpu")
    with pytest.raises(ModelError, match="ONNX models run on the CPU only"):
        load_classifier(exported, device="cuda")


def test_a_pickled_classifier_scores_the_same_elsewhere_and_is_small(tiny):
    sent = pickle.dumps(tiny)
    assert len(sent) < 5000  # no weights
    answer = subprocess.run(
        [sys.executable, "-c", SCORE_IN_ANOTHER_PROCESS],
        input=sent,
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    assert answer.stdout == tiny.score(["you stupid idiot"]).tobytes()
    assert answer.stderr == b"[]\n"


@pytest.mark.parametrize("folder", ["exported", "tiny_base"])
def test_a_pickled_classifier_keeps_its_name_threads_and_device(folder, request):
    name = request.getfixturevalue(folder)
    again = pickle.loads(pickle.dumps(load_classifier(name, threads=1, device="cpu")))
    assert (again.name, again._threads, again._device) == (str(name), 1, "cpu")
    assert again.folder == load_classifier(name).folder


def test_a_model_that_is_elsewhere_on_arrival_is_found_by_its_name(
    model_folder, tmp_path, monkeypatch
):
    home = tmp_path / "here" / "models"
    home.mkdir(parents=True)
    shutil.copytree(model_folder, home / "mine")
    monkeypatch.setenv("COMMENT_TOXICITY_MODELS", str(home))
    classifier = load_classifier("mine")
    sent = pickle.dumps(classifier)
    home.rename(tmp_path / "there")
    with pytest.raises(ModelError, match="No model 'mine'"):
        pickle.loads(sent)
    monkeypatch.setenv("COMMENT_TOXICITY_MODELS", str(tmp_path / "there"))
    assert np.array_equal(pickle.loads(sent).score(TEXTS[:1]), classifier.score(TEXTS[:1]))


def test_other_weights_or_thresholds_on_arrival_are_refused(model_folder, tiny_base, tmp_path):
    plain = shutil.copytree(tiny_base, tmp_path / "plain")
    sent = pickle.dumps(load_classifier(plain))
    weights = plain / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ModelError, match=r"not the weights that were sent as .*sha256 begins with"):
        pickle.loads(sent)

    sent = pickle.dumps(load_classifier(model_folder))
    decision = json.loads((model_folder / "decision.json").read_text())
    decision["labels"]["toxic"]["threshold"] = 0.9
    (model_folder / "decision.json").write_text(json.dumps(decision))
    with pytest.raises(ModelError, match="calibration or thresholds are not those that were sent"):
        pickle.loads(sent)


def test_the_hash_of_weights_in_several_files_changes_with_each_of_them(tiny_base, tmp_path):
    folder = shutil.copytree(tiny_base, tmp_path / "sharded")
    whole = (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    shutil.copy(whole, folder / "model-2.safetensors")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))

    def weights_hash():
        from comment_toxicity.folder import ModelFolder

        return ModelFolder.read(folder).weights_hash()

    before = weights_hash()
    assert before == weights_hash()
    (folder / "model-2.safetensors").write_bytes(b"other")
    assert weights_hash() != before


def test_the_command_takes_threads_and_device(score, tmp_path):
    from comment_toxicity import classifier
    from comment_toxicity.__main__ import DEVICES

    (tmp_path / "in.csv").write_text("text\nyou\n")
    command = [tmp_path / "in.csv", "--output", tmp_path / "out.csv"]
    assert score(*command, "--threads", "1", "--device", "cpu")[0] == 0
    assert score(*command, "--threads", "-2") == (2, "error: threads is -2; give at least 1.\n")
    assert DEVICES == classifier.DEVICES
