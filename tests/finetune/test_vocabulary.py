"""A vocabulary that is cut: which pieces stay, and that nothing else changes."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
)

from comment_toxicity.errors import SettingsError
from finetune.__main__ import main
from finetune.train.vocabulary import cut_vocabulary

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
WORDS = ["▁thank", "▁you", "▁fool", "▁page", "▁rare", "▁help", "▁спасибо", "▁дурак", "▁γεια"]
LETTERS = "▁abcdefghijklmnopqrstuvwxyzабвгдеийкорстуыяαβγεικνορ!"
SMALL = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "num_labels": 2}
TEXTS = ["thank you", "you fool", "спасибо дурак", "you"]


def fast(tokenizer: Tokenizer, **special: str) -> PreTrainedTokenizerFast:
    """The tokenizer as transformers has it. special: name of a special token → its piece."""
    names = {f"{name}_token": piece for name, piece in special.items()}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def unigram() -> PreTrainedTokenizerFast:
    """A tokenizer of XLM-R's form."""
    vocabulary = [(token, 0.0) for token in SPECIAL]
    vocabulary += [(word, -3.0 - index / 10) for index, word in enumerate(WORDS)]
    vocabulary += [(letter, -9.0) for letter in LETTERS]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=3))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return fast(tokenizer, bos="<s>", eos="</s>", cls="<s>", sep="</s>", pad="<pad>", unk="<unk>")


def wordpiece() -> PreTrainedTokenizerFast:
    """A tokenizer of BERT's form, with unused pieces before its special tokens."""
    pieces = ["[PAD]", "[unused0]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces += [*LETTERS[1:], *(f"##{letter}" for letter in LETTERS[1:])]
    pieces += [word.strip("▁") for word in WORDS] + ["##ful"]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary))
    tokenizer.normalizer = normalizers.BertNormalizer(strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 5), ("[CLS]", 4))
    names = {name: f"[{name.upper()}]" for name in ("cls", "sep", "pad", "unk", "mask")}
    return fast(tokenizer, **names)


def bert(tokenizer: PreTrainedTokenizerFast, more_rows: int = 0) -> BertForSequenceClassification:
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(tokenizer) + more_rows, intermediate_size=16, initializer_range=0.5,
        max_position_embeddings=32, pad_token_id=tokenizer.pad_token_id, **SMALL,
    )  # fmt: skip
    return BertForSequenceClassification(config).eval()


def xlm_roberta(tokenizer: PreTrainedTokenizerFast) -> XLMRobertaForSequenceClassification:
    torch.manual_seed(1)
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer), intermediate_size=16, initializer_range=0.5,
        max_position_embeddings=32, pad_token_id=1, bos_token_id=0, eos_token_id=2, **SMALL,
    )  # fmt: skip
    return XLMRobertaForSequenceClassification(config).eval()


def logits(tokenizer, model, texts: list[str]) -> torch.Tensor:
    """Padded to one length, so that padding takes part."""
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        return model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits


@pytest.mark.parametrize(
    ("make", "build", "size"),
    [(unigram, bert, 55), (unigram, xlm_roberta, 55), (wordpiece, bert, 96)],
)
def test_texts_whose_pieces_stay_keep_their_pieces_and_logits(make, build, size, tmp_path: Path):
    whole = make()
    model = build(whole)
    pieces = [whole.tokenize(text) for text in TEXTS]
    before = logits(whole, model, TEXTS)
    cut, kept = cut_vocabulary(whole, model, size, TEXTS)
    assert kept == 1.0
    assert len(cut) == size == model.get_input_embeddings().num_embeddings < len(make())
    assert [cut.tokenize(text) for text in TEXTS] == pieces
    assert torch.equal(logits(cut, model, TEXTS), before)

    model.save_pretrained(tmp_path)
    cut.save_pretrained(tmp_path)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    assert torch.equal(logits(AutoTokenizer.from_pretrained(tmp_path), model, TEXTS), before)


def test_ids_and_special_tokens_follow_the_pieces():
    whole = wordpiece()
    cut, _ = cut_vocabulary(whole, bert(whole), 96, TEXTS)
    ids = cut("you")["input_ids"]
    assert cut.convert_ids_to_tokens(ids) == ["[CLS]", "you", "[SEP]"]
    assert whole("you")["input_ids"] != ids
    assert sorted(cut.get_vocab().values()) == list(range(96))
    assert (cut.pad_token_id, cut.unk_token_id) == (0, cut.get_vocab()["[UNK]"])
    assert "[unused0]" not in cut.get_vocab()
    assert json.loads(cut.backend_tokenizer.to_str())["post_processor"]["sep"] == ["[SEP]", ids[2]]


def test_a_dropped_piece_is_spelled_by_its_letters_and_another_script_becomes_unknown():
    whole = unigram()
    cut, _ = cut_vocabulary(whole, bert(whole), 54, TEXTS)
    assert cut.tokenize("rare fool") == ["▁", "r", "a", "r", "e", "▁fool"]
    assert "α" not in cut.get_vocab()
    assert "я" in cut.get_vocab()  # a letter of a script that the texts have


def test_added_tokens_stay_with_their_embeddings():
    whole = unigram()
    whole.add_tokens(["@user"])
    model = bert(whole, more_rows=3)  # as bases have whose table is rounded up
    row = model.get_input_embeddings().weight[len(whole) - 1].clone()
    cut, _ = cut_vocabulary(whole, model, 55, TEXTS)
    [index] = cut("@user", add_special_tokens=False)["input_ids"]
    assert index == 55 == model.config.vocab_size - 1
    assert torch.equal(model.get_input_embeddings().weight[index], row)


def test_the_special_ids_of_the_config_are_the_new_ones():
    whole = wordpiece()
    model = bert(whole)
    model.config.sep_token_id = 5
    cut, _ = cut_vocabulary(whole, model, 96, TEXTS)
    assert model.config.sep_token_id == cut.sep_token_id != 5


def test_frequent_pieces_stay_and_rare_ones_of_a_small_group_too():
    texts = ["thank you"] * 50 + ["help page", "rare"]
    whole = unigram()
    cut, kept = cut_vocabulary(whole, bert(whole), 35, texts)
    assert {"▁thank", "▁you"} <= set(cut.get_vocab())
    assert "▁rare" not in cut.get_vocab()
    assert 0.9 < kept < 1
    whole = unigram()
    cut, _ = cut_vocabulary(whole, bert(whole), 35, texts, ["a"] * 51 + ["b"])
    assert "▁rare" in cut.get_vocab()


def test_a_vocabulary_that_is_small_enough_is_left_alone():
    whole = unigram()
    model = bert(whole)
    assert cut_vocabulary(whole, model, len(whole), TEXTS) == (whole, 1.0)
    assert model.config.vocab_size == len(whole)


def test_byte_pieces_stay_where_other_characters_become_bytes():
    whole = unigram()
    model = json.loads(whole.backend_tokenizer.to_str())
    model["model"]["vocab"] += [[f"<0x{byte:02X}>", -12.0] for byte in range(256)]
    model["model"]["byte_fallback"] = True
    whole = fast(Tokenizer.from_str(json.dumps(model)), pad="<pad>", unk="<unk>")
    cut, _ = cut_vocabulary(whole, bert(whole), 310, TEXTS)
    assert "α" not in cut.get_vocab()
    assert cut.tokenize("α")[1:] == ["<0xCE>", "<0xB1>"]


def test_byte_pair_encoding_is_refused_in_one_sentence():
    tokenizer = Tokenizer(models.BPE({"a": 0, "b": 1, "ab": 2, "<pad>": 3}, [("a", "b")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    whole = fast(tokenizer, pad="<pad>")
    with pytest.raises(SettingsError) as caught:
        cut_vocabulary(whole, bert(whole), 2, TEXTS)
    assert str(caught.value) == (
        "vocabulary is 2, but the base's tokenizer is BPE, whose pieces are made of one another; "
        "leave it out, or use a base with a SentencePiece (Unigram) or WordPiece tokenizer."
    )


def test_a_size_without_room_for_the_characters_is_refused():
    whole = unigram()
    with pytest.raises(SettingsError, match=r"vocabulary is 20, but special tokens and single"):
        cut_vocabulary(whole, bert(whole), 20, TEXTS)


def test_a_run_with_a_cut_vocabulary_exports_what_it_trained_and_resumes(
    comments: Path, tiny_base: Path, tmp_path: Path
):
    run = tmp_path / "run"
    command = [
        "--train-data", str(comments), "--base-model", str(tiny_base), "--output-dir", str(run),
        "--max-length", "32", "--max-steps", "4", "--vocabulary", "175", "--precision", "fp32",
        "--evaluations-per-epoch", "2",
    ]  # fmt: skip
    assert main(command) == 0
    config = json.loads((run / "model/config.json").read_text())
    vocabulary = json.loads((run / "model/tokenizer.json").read_text())["model"]["vocab"]
    assert config["vocab_size"] == len(vocabulary) == 175
    record = json.loads((run / "run.json").read_text())
    assert record["training"]["vocabulary_kept"] == 1.0
    assert max(record["export"]["mean_difference"]) < 0.02
    assert "| vocabulary | `175` |" in (run / "model/README.md").read_text()

    first = (run / "trained/model.safetensors").read_bytes()
    shutil.rmtree(run / "trained")
    assert main(["train", "--output-dir", str(run), "--resume"]) == 0
    assert (run / "trained/model.safetensors").read_bytes() == first
