"""The encoder that a run starts from: loaded with its tokenizer and a head, frozen, averaged."""

from collections.abc import Collection, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch
from huggingface_hub import try_to_load_from_cache
from tokenizers import Tokenizer
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)
from transformers.utils import is_protobuf_available, is_sentencepiece_available, logging

from comment_toxicity.errors import ModelError, SettingsError
from comment_toxicity.folder import ROBERTA_LIKE
from finetune.config import Settings
from finetune.data.confusables import fold_lookalikes
from finetune.train.from_onnx import has_onnx_alone, read_weights

SENTENCEPIECE_FILES = (
    "spm.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "sentencepiece.model",
    "tokenizer.model",
)


def load_base(settings: Settings) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """Load the tokenizer and the encoder of settings.base_model, with a new head for the labels.

    Raises ModelError or SettingsError for a base that cannot be loaded or does not fit.
    """
    where = base_folder(settings.base_model)
    try:
        config = AutoConfig.from_pretrained(where, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{settings.base_model}: neither a local model folder nor a Hub model that can be "
            f"reached ({' '.join(str(error).splitlines()[:1])[:160]})."
        ) from None
    longest = getattr(config, "max_position_embeddings", None)
    if longest and config.model_type in ROBERTA_LIKE:
        longest -= 2  # their positions count from 2
    if longest and 0 < longest < settings.max_length:  # XLNet's -1 means no limit
        raise SettingsError(
            f"max_length is {settings.max_length}, but {settings.base_model} reads at most "
            f"{longest} tokens."
        )
    if settings.average_with_base and list(config.id2label.values()) != settings.labels:
        raise SettingsError(
            f"average_with_base is set, but {settings.base_model} does not score the labels "
            f"{', '.join(settings.labels)}, in this order; leave it out, or use a base that does."
        )
    for setting, names in {
        "dropout": ("hidden_dropout_prob", "dropout"),
        "attention_dropout": ("attention_probs_dropout_prob", "attention_dropout"),
    }.items():
        for name in names:
            if hasattr(config, name):
                setattr(config, name, getattr(settings, setting))
    config.id2label = dict(enumerate(settings.labels))
    config.label2id = {label: index for index, label in enumerate(settings.labels)}
    config.problem_type = (
        "single_label_classification" if settings.single_label else "multi_label_classification"
    )
    tokenizer = load_tokenizer(settings.base_model)
    torch.manual_seed(settings.seed)  # the new head's weights
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # a new head is no reason for a table of missing weights
    try:
        weights = read_weights(Path(where)) if has_onnx_alone(Path(where)) else None
        # Weights that are here have no folder, and the auto class would look for code in it.
        load: Any = (
            partial(AutoModelForSequenceClassification.from_pretrained, where)
            if weights is None
            else partial(BertForSequenceClassification.from_pretrained, None, state_dict=weights)
        )
        model, loading = load(
            config=config,
            trust_remote_code=False,
            output_loading_info=True,
            dtype=torch.float32,
            # Measured on two AVX-512 cores at 64 tokens: eager 82 examples/s, sdpa 76.
            attn_implementation="eager",
            ignore_mismatched_sizes=True,  # a head of another size is replaced by a new one
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"{settings.base_model}: cannot be loaded for classification "
            f"({' '.join(str(error).split())[:160]})."
        ) from None
    finally:
        logging.set_verbosity(verbosity)
    tokenizer.model_max_length = settings.max_length
    if settings.fold_lookalikes:
        tokenizer = folding_tokenizer(tokenizer)
    if settings.freeze or settings.lora:
        layers = settings.trainable_layers if settings.freeze else 0
        freeze(model, layers, loading["missing_keys"])
    if settings.train_words:
        freeze_all_but(model, _pieces(tokenizer, settings))
    return tokenizer, model


def _pieces(tokenizer: PreTrainedTokenizerBase, settings: Settings) -> list[int]:
    """The ids of settings.train_words, each of which has to be one piece of the vocabulary."""
    found = {
        word: tokenizer(word, add_special_tokens=False).input_ids for word in settings.train_words
    }
    for word, ids in found.items():
        if len(ids) != 1 or ids[0] == tokenizer.unk_token_id:
            pieces = " + ".join(tokenizer.convert_ids_to_tokens(ids))
            raise SettingsError(
                f"train_words has {word}, which {settings.base_model} reads as "
                f"{pieces or 'nothing'}; give words that are one piece, as others share the pieces."
            )
    return [id for [id] in found.values()]


def load_tokenizer(base: str) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a base model. ModelError for one that a model folder cannot hold.

    A model folder has its tokenizer as tokenizer.json. transformers makes one of a vocabulary or of
    a SentencePiece model, but not of a tokenizer that is written in Python.
    """
    where = base_folder(base)
    advice = "use a base that has a tokenizer.json, such as bert-base-uncased."
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # the error below says it better
    try:
        tokenizer = AutoTokenizer.from_pretrained(where, trust_remote_code=False)
    except Exception as error:  # each tokenizer class has its own, down to that of a parser in Rust
        if sentencepiece := _sentencepiece_file(where):
            missing = [
                package
                for package, is_there in (
                    ("sentencepiece", is_sentencepiece_available()),
                    ("protobuf", is_protobuf_available()),
                )
                if not is_there
            ]
            raise ModelError(
                f"{base}: its tokenizer, {sentencepiece}, needs {' and '.join(missing)}; run "
                f"make install, or pip install {' '.join(missing)}."
                if missing
                else f"{base}: its tokenizer, {sentencepiece}, cannot be read; the file may be "
                "damaged, so download it again."
            ) from None
        reason = " ".join(str(error).split())[:160]
        raise ModelError(f"{base}: its tokenizer cannot be loaded ({reason}); {advice}") from None
    finally:
        logging.set_verbosity(verbosity)
    if not tokenizer.is_fast:
        raise ModelError(
            f"{base}: its tokenizer ({type(tokenizer).__name__}) is written in Python, so it "
            f"cannot be exported; {advice}"
        )
    if tokenizer.pad_token_id is None:
        raise ModelError(
            f"{base}: has no padding token, like most text generators; use an encoder, such as "
            "bert-base-uncased."
        )
    if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):
        raise ModelError(
            f"{base}: has no tokenizer files, so no word would be known; add those of the model "
            "that it was trained from."
        )
    return tokenizer


def _sentencepiece_file(where: str) -> str | None:
    """The name of the SentencePiece model of a folder, or of a Hub model that was just loaded."""
    for name in SENTENCEPIECE_FILES:
        if Path(where).is_dir():
            is_there = Path(where, name).is_file()
        else:
            is_there = isinstance(try_to_load_from_cache(where, name), str)
        if is_there:
            return name
    return None


def averaged(
    base: dict[str, torch.Tensor], trained: dict[str, torch.Tensor], share: float
) -> dict[str, torch.Tensor]:
    """Return share × base + (1 - share) × trained, by weight (WiSE-FT, Wortsman et al. 2022).

    base, trained: state dicts with the same names and shapes. Integers, such as position ids, stay
    the trained model's.
    """
    return {
        name: torch.lerp(weight, base[name].to(weight), share)
        if weight.is_floating_point()
        else weight
        for name, weight in trained.items()
    }


def folding_tokenizer(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """Return the same tokenizer with fold_lookalikes before it."""
    fold_lookalikes(tokenizer.backend_tokenizer)
    return as_fast_tokenizer(tokenizer, tokenizer.backend_tokenizer)


def as_fast_tokenizer(
    tokenizer: PreTrainedTokenizerBase, backend: Tokenizer
) -> PreTrainedTokenizerBase:
    """Return a tokenizer with the steps of `backend`, and the special tokens of `tokenizer`.

    It is a PreTrainedTokenizerFast: when transformers loads a tokenizer of a model's own class,
    such as BertTokenizer, it rebuilds the steps from the vocabulary, without those added here.
    """
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=tokenizer.model_max_length,
        model_input_names=tokenizer.model_input_names,
        **tokenizer.special_tokens_map,
    )


def base_folder(name: str) -> str:
    """Resolve package:NAME/FOLDER to the folder in the installed package; return others as is."""
    if not name.startswith("package:"):
        return name
    package, _, inside = name.removeprefix("package:").partition("/")
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(
            f"{name}: no installed Python package {package}; run make install, or give another "
            "--base-model."
        )
    return str(Path(spec.submodule_search_locations[0]) / inside)


def encoder_layers(model: PreTrainedModel) -> list[nn.Module]:
    """The encoder's layers, first to last, whatever the architecture calls them."""
    for module in model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == model.config.num_hidden_layers:
            return list(module)
    return []


def freeze(model: PreTrainedModel, trainable_layers: int, new: Collection[str] = ()) -> None:
    """Freeze the model, except for the head and the last layers of the encoder.

    new: names of the parameters that the base does not have, such as a pooler's. They are random,
    so they are trained too. Raises SettingsError where the layers cannot be told apart.
    """
    encoder = {id(parameter) for parameter in model.base_model.parameters()}
    for name, parameter in model.named_parameters():
        if id(parameter) in encoder and name not in new:
            parameter.requires_grad = False
    layers = encoder_layers(model)
    if trainable_layers and not layers:
        raise SettingsError(
            f"trainable_layers is {trainable_layers}, but the layers of {model.config.model_type} "
            "models are not separate; give 0, or leave freeze out."
        )
    for layer in layers[max(0, len(layers) - trainable_layers) :]:
        for parameter in layer.parameters():
            parameter.requires_grad = True


def freeze_all_but(model: PreTrainedModel, tokens: Sequence[int]) -> None:
    """Freeze the model, except for the embeddings of these tokens."""
    for parameter in model.parameters():
        parameter.requires_grad = False
    embeddings = cast(nn.Embedding, model.get_input_embeddings()).weight
    embeddings.requires_grad = True
    learning = torch.zeros(len(embeddings), 1)
    learning[list(tokens)] = 1
    embeddings.register_hook(lambda gradient: gradient * learning.to(gradient))
