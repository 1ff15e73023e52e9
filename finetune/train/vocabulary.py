"""A base's vocabulary, cut to the pieces that the training rows need.

Most weights of a small multilingual encoder are embeddings: 96 of the 118 million of
multilingual-e5-small. A piece that no text uses costs size and nothing else.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from comment_toxicity.errors import SettingsError
from finetune.train.base import as_fast_tokenizer

Floats = NDArray[np.float64]
BATCH = 1000
OWN_SHARE = 0.1
"""Weight of the base's own frequencies beside those of the training rows. Measured on
multilingual-e5-small, 250,000 pieces cut to 60,000, in tokens of held-out text: with 0 languages of
few rows get longer by a quarter (id 57 %, nl 33 %), with 1 those of many rows do (de 7 %, hi 25 %).
"""
BYTE = re.compile(r"<0x[0-9A-F]{2}>")
SPECIAL_IDS = ("pad", "bos", "eos", "sep", "cls", "unk", "mask", "decoder_start")


def cut_vocabulary(
    tokenizer: PreTrainedTokenizerBase,
    model: PreTrainedModel,
    size: int,
    texts: Sequence[str],
    groups: Sequence[str] | None = None,
) -> tuple[PreTrainedTokenizerBase, float]:
    """Keep `size` pieces of the tokenizer, and their rows of the model's embeddings.

    Special and added tokens stay, and every single character of a script that the texts use, so
    that no text becomes unknown; then the pieces that are most frequent in texts and, less, in the
    base's own training. A text whose pieces all stay has the same pieces, and the same logits.
    groups: of each text, such as its language; each group's frequencies count alike.
    Returns the new tokenizer, and the share of the texts' tokens whose piece stays. The model is
    changed in place, its special ids with it. Nothing changes where it has so few already.
    Raises SettingsError for a tokenizer other than Unigram (SentencePiece) and WordPiece, and for a
    size that has no room for what has to stay.
    """
    backend = tokenizer.backend_tokenizer
    whole = json.loads(backend.to_str())
    if whole["model"]["type"] not in ("Unigram", "WordPiece"):
        raise SettingsError(
            f"vocabulary is {size}, but the base's tokenizer is {whole['model']['type']}, whose "
            "pieces are made of one another; leave it out, or use a base with a SentencePiece "
            "(Unigram) or WordPiece tokenizer."
        )
    pieces = _pieces(whole["model"])
    known = len(pieces)
    added = {token["id"]: token["content"] for token in whole["added_tokens"]}
    if known <= size:
        return tokenizer, 1.0
    counts = _counts(backend, known, texts, groups)
    config: Any = model.config
    needed = set(added)
    if config.pad_token_id is not None and hasattr(_embeddings(model), "padding_idx"):
        needed |= set(range(config.pad_token_id + 1))  # positions count from the padding's id
    kept = _kept(whole["model"], pieces, counts, needed, size)
    beyond = sorted(token for token in added if token >= known)
    order = sorted(kept) + beyond
    new_id = {old: new for new, old in enumerate(order)}
    cut = Tokenizer.from_str(json.dumps(_renumbered(whole, order[: len(kept)], new_id)))
    table: Any = model.get_input_embeddings()
    rows = nn.Embedding(len(order), table.embedding_dim, padding_idx=new_id.get(table.padding_idx))
    rows.weight.data = table.weight.data[order].clone()
    rows.weight.requires_grad = table.weight.requires_grad
    model.set_input_embeddings(rows)
    config.vocab_size = len(order)
    for name in SPECIAL_IDS:
        old = getattr(config, f"{name}_token_id", None)
        if isinstance(old, int):
            setattr(config, f"{name}_token_id", new_id.get(old))
    stays = np.isin(np.arange(known), list(kept))
    return as_fast_tokenizer(tokenizer, cut), float(counts[stays].sum() / max(counts.sum(), 1e-12))


def _embeddings(model: PreTrainedModel) -> Any:
    """The module of all embeddings, where the model has one, such as RobertaEmbeddings."""
    return getattr(model.base_model, "embeddings", None)


def _pieces(model: dict[str, Any]) -> list[str]:
    """The piece of each id; "" for an id without one."""
    if model["type"] == "Unigram":
        return [piece for piece, _ in model["vocab"]]
    pieces = [""] * (max(model["vocab"].values()) + 1)
    for piece, index in model["vocab"].items():
        pieces[index] = piece
    return pieces


def _counts(
    tokenizer: Tokenizer, known: int, texts: Sequence[str], groups: Sequence[str] | None
) -> Floats:
    """The share of each id among the texts' tokens; with groups, the mean of the groups' shares."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    of_group: dict[str, Floats] = {}
    names = [""] * len(texts) if groups is None else list(groups)
    for start in range(0, len(texts), BATCH):
        batch = list(texts[start : start + BATCH])
        encoded = tokenizer.encode_batch_fast(batch, add_special_tokens=False)
        for name, encoding in zip(names[start : start + BATCH], encoded, strict=True):
            counts = of_group.setdefault(name, np.zeros(known))
            ids = np.array(encoding.ids, dtype=np.int64)
            np.add.at(counts, ids[ids < known], 1)
    shares = [counts / counts.sum() for counts in of_group.values() if counts.any()]
    return np.mean(shares, axis=0) if shares else np.zeros(known)


def _kept(
    model: dict[str, Any], pieces: list[str], counts: Floats, needed: set[int], size: int
) -> set[int]:
    """The ids that stay: what has to, then the most frequent."""
    prefix = model.get("continuing_subword_prefix") or ""
    unknown = model.get("unk_id")
    if unknown is None and model.get("unk_token") in pieces:
        unknown = pieces.index(model["unk_token"])
    bare = [piece.removeprefix(prefix) if prefix else piece for piece in pieces]
    used = {_script(letter) for index in np.flatnonzero(counts) for letter in bare[index]}
    kept = {index for index in needed if index < len(pieces)}
    kept |= {unknown} if unknown is not None else set()
    kept |= {
        index
        for index, piece in enumerate(bare)
        if (len(piece) == 1 and (not piece.isalpha() or _script(piece) in used))
        or (model.get("byte_fallback") and BYTE.fullmatch(piece))
    }
    if len(kept) > size:
        raise SettingsError(
            f"vocabulary is {size}, but special tokens and single characters alone are "
            f"{len(kept):,}; give more, or 0 for the whole vocabulary."
        )
    for index in np.argsort(-(counts + OWN_SHARE * _own_shares(model)), kind="stable").tolist():
        if len(kept) == size:
            break
        if pieces[index]:
            kept.add(index)
    return kept


def _own_shares(model: dict[str, Any]) -> Floats:
    """How frequent each piece was in the base's training, as shares.

    Unigram has the logarithms. WordPiece has the order alone, so Zipf's law stands in.
    """
    if model["type"] == "Unigram":
        shares = np.exp(np.minimum([score for _, score in model["vocab"]], 0.0))
        shares[np.array([score for _, score in model["vocab"]]) >= 0] = 0.0  # special tokens
    else:
        shares = 1 / np.arange(1, max(model["vocab"].values()) + 2)
    return shares / max(shares.sum(), 1e-12)


def _script(letter: str) -> str:
    """The script of a letter, by the first word of its name, such as CYRILLIC."""
    return unicodedata.name(letter, "").partition(" ")[0]


def _renumbered(
    whole: dict[str, Any], order: Iterable[int], new_id: dict[int, int]
) -> dict[str, Any]:
    """tokenizer.json with the pieces of `order` only, and new ids wherever it names one."""
    model = dict(whole["model"])
    if model["type"] == "Unigram":
        model["vocab"] = [model["vocab"][old] for old in order]
        model["unk_id"] = new_id.get(model["unk_id"])
    else:
        model["vocab"] = {
            piece: new_id[old] for piece, old in model["vocab"].items() if old in new_id
        }
    added = [{**token, "id": new_id[token["id"]]} for token in whole["added_tokens"]]
    return whole | {
        "model": model,
        "added_tokens": sorted(added, key=lambda token: token["id"]),
        "post_processor": _post_processor(whole["post_processor"], new_id),
        "truncation": None,
        "padding": None,
    }


def _post_processor(step: dict[str, Any] | None, new_id: dict[int, int]) -> dict[str, Any] | None:
    """The step that adds special tokens, with their new ids."""
    if step is None:
        return None
    step = dict(step)
    if "processors" in step:
        step["processors"] = [_post_processor(inner, new_id) for inner in step["processors"]]
    if isinstance(step.get("special_tokens"), dict):
        step["special_tokens"] = {
            name: {**token, "ids": [new_id[old] for old in token["ids"]]}
            for name, token in step["special_tokens"].items()
        }
    for name in ("sep", "cls"):  # of BertProcessing and RobertaProcessing: [token, id]
        if isinstance(step.get(name), list):
            step[name] = [step[name][0], new_id[step[name][1]]]
    return step
