"""Every kind of encoder goes the whole way: trained, exported, loaded, with the scores of training.

Each has one small layer, random weights, and a tokenizer of the kind that its authors publish.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoModel,
    AutoTokenizer,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaTokenizer,
    XLMRobertaConfig,
)

from comment_toxicity import load_classifier
from finetune import export
from finetune.config import Settings
from finetune.export import OnnxError, export_close, torch_logits
from finetune.run import run

SENTENCES = ["thank you for the help", "what a good article", "they edit pages", "you fool", "no"]
TEXTS = [*SENTENCES, "you fool, what a good article", "ünïcode ☃ and unknown words", "no " * 20]
SHAPE = {
    "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64,
    "max_position_embeddings": 64, "vocab_size": 300, "initializer_range": 0.2,
}  # fmt: skip
DEBERTA_V3 = {
    "relative_attention": True, "position_buckets": 16, "pos_att_type": ["p2c", "c2p"],
    "share_att_key": True, "norm_rel_ebd": "layer_norm", "position_biased_input": False,
    "type_vocab_size": 0,
}  # fmt: skip


def word_pieces(folder: Path, tiny_base: Path) -> None:
    AutoTokenizer.from_pretrained(tiny_base, model_max_length=64).save_pretrained(folder)


def byte_pairs(names: list[str], start: str, end: str) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=290, special_tokens=names, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(SENTENCES * 20, trainer)
    ends = [(each, tokenizer.token_to_id(each)) for each in (start, end)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}", pair=f"{start} $A {end} $B {end}", special_tokens=ends
    )
    return tokenizer


def of_roberta(folder: Path, _: Path) -> None:
    model = json.loads(
        byte_pairs(["<s>", "<pad>", "</s>", "<unk>", "<mask>"], "<s>", "</s>").to_str()
    )
    merges = [tuple(pair) for pair in model["model"]["merges"]]
    RobertaTokenizer(vocab=model["model"]["vocab"], merges=merges).save_pretrained(folder)


def of_modernbert(folder: Path, _: Path) -> None:
    names = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    tokens = {f"{name}_token": token for name, token in names.items()}
    pieces = byte_pairs(list(names.values()), "[CLS]", "[SEP]")
    PreTrainedTokenizerFast(tokenizer_object=pieces, **tokens).save_pretrained(folder)


def sentence_pieces(name: str, **settings: object) -> Callable[[Path, Path], None]:
    def write(folder: Path, _: Path) -> None:
        import sentencepiece

        with (folder / name).open("wb") as file:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(SENTENCES * 20), model_writer=file, vocab_size=30, **settings
            )

    return write


BERTS_IDS = {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3}
BERTS_NAMES = {
    "pad_piece": "[PAD]", "bos_piece": "[CLS]", "eos_piece": "[SEP]", "unk_piece": "[UNK]"
}  # fmt: skip
ARCHITECTURES: dict[str, tuple[PreTrainedConfig, Callable[[Path, Path], None]]] = {
    "BERT": (BertConfig(**SHAPE), word_pieces),
    "DistilBERT": (
        DistilBertConfig(
            dim=32, n_layers=1, n_heads=2, hidden_dim=64, max_position_embeddings=64,
            vocab_size=300, initializer_range=0.2,
        ),
        word_pieces,
    ),
    "RoBERTa": (RobertaConfig(**SHAPE), of_roberta),
    "XLM-R": (XLMRobertaConfig(**SHAPE), sentence_pieces("sentencepiece.bpe.model")),
    "DeBERTa-v3": (
        DebertaV2Config(**SHAPE, **DEBERTA_V3),
        sentence_pieces("spm.model", **BERTS_IDS, **BERTS_NAMES),
    ),
    "ModernBERT": (
        ModernBertConfig(
            **SHAPE, local_attention=8, global_attn_every_n_layers=1, pad_token_id=0,
            bos_token_id=2, cls_token_id=2, eos_token_id=3, sep_token_id=3,
        ),
        of_modernbert,
    ),
    "ELECTRA": (ElectraConfig(**SHAPE, embedding_size=16), word_pieces),
}  # fmt: skip


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture_goes_from_training_to_the_same_scores(
    name: str, tiny_base: Path, tmp_path: Path
):
    import torch

    config, write_tokenizer = ARCHITECTURES[name]
    base = tmp_path / "base"
    with torch.random.fork_rng():
        torch.manual_seed(1)
        AutoModel.from_config(config).save_pretrained(base)
    write_tokenizer(base, tiny_base)
    rows = pd.DataFrame({"comment_text": [f"{text} {n}" for n in range(8) for text in TEXTS]})
    rows["toxic"] = np.arange(len(rows)) % 2
    rows["threat"] = np.arange(len(rows)) % 3 == 0
    settings = Settings(
        base_model=str(base), output_dir=str(tmp_path / "run"), labels=["toxic", "threat"],
        max_length=62, batch_size=8, max_steps=2, precision="fp32",
    )  # fmt: skip
    model = run(settings, ["data", "train", "export"], train_data=rows)

    expected = expit(torch_logits(tmp_path / "run" / "trained", TEXTS, 62))
    assert np.ptp(expected, axis=0).min() > 0.01  # the texts have scores of their own
    exported = load_classifier(model)
    assert exported.folder.weights.name == "model.onnx"
    np.testing.assert_allclose(expit(exported.logits(TEXTS)), expected, rtol=0, atol=0.05)
    (model / "model.onnx").unlink()
    exact = load_classifier(model, device="cpu")
    np.testing.assert_allclose(expit(exact.logits(TEXTS)), expected, rtol=0, atol=1e-5)


@pytest.fixture
def exports(tiny_base: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run export_close() with a copy for model.onnx. Returns its answer, and the weight files."""

    def copied(_: object, path: Path, __: int) -> None:
        shutil.copy(exported / "model.onnx", path)

    def run_export(formats: list[str]) -> tuple[dict, list[str], list[str]]:
        folder = tmp_path / "model"
        found, notes = export_close(tiny_base, folder, ["you fool", "no help"], formats, 24)
        return found, notes, sorted(path.name for path in folder.glob("model.*"))

    monkeypatch.setattr(export, "_save_onnx", copied)
    return run_export


def test_int8_that_moves_the_scores_is_written_again_in_blocks(exports, monkeypatch):
    measured = [{"mean_difference": [0.0, 0.2]}, {"mean_difference": [0.0, 0.01]}]
    monkeypatch.setattr(export, "compare_scores", lambda *_: measured.pop(0))
    found, notes, files = exports(["onnx"])
    assert found == {"mean_difference": [0.0, 0.01], "rows": 2, "int8_blocks": 32}
    assert notes == ["int8 moves scores of severe_toxic by 0.20 on average."]
    assert files == ["model.onnx"]


def test_a_model_whose_scores_int8_does_not_keep_is_left_as_safetensors(exports, monkeypatch):
    monkeypatch.setattr(export, "compare_scores", lambda *_: {"mean_difference": [0.3, 0.1]})
    found, notes, files = exports(["safetensors", "onnx"])
    assert found == {
        "onnx_left_out": "int8 in blocks of 32 moves scores of toxic by 0.30 on average."
    }
    assert notes[-1].startswith("There is no model.onnx: the model is model.safetensors")
    assert files == ["model.safetensors"]


def test_a_model_that_onnx_cannot_express_is_left_as_safetensors(exports, monkeypatch):
    def refused(*_: object) -> None:
        raise OnnxError("a riddle model, which torch cannot convert to ONNX.")

    monkeypatch.setattr(export, "_save_onnx", refused)
    found, notes, files = exports(["onnx"])
    assert found == {"onnx_left_out": "a riddle model, which torch cannot convert to ONNX."}
    assert len(notes) == 2
    assert files == ["model.safetensors"]
