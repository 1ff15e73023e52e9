"""The encoder that a run starts from: loaded with its tokenizer and a head, frozen, averaged."""

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from comment_toxicity.errors import ModelError, SettingsError
from comment_toxicity.folder import ROBERTA_LIKE
from finetune.config import Settings
from finetune.data.confusables import fold_lookalikes


def load_base(settings: Settings) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """Load the tokenizer and the encoder of settings.base_model, with a new head for the labels.

    Raises ModelError or SettingsError for a base that cannot be loaded or does not fit.
    """
    where = base_folder(settings.base_model)
    try:
        config = AutoConfig.from_pretrained(where)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{settings.base_model}: neither a local model folder nor a Hub model that can be "
            f"reached ({' '.join(str(error).splitlines()[:1])[:160]})."
        ) from None
    longest = getattr(config, "max_position_embeddings", None)
    if longest and config.model_type in ROBERTA_LIKE:
        longest -= 2  # their positions count from 2
    if longest and settings.max_length > longest:
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
    torch.manual_seed(settings.seed)  # the new head's weights
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(where)
        model = AutoModelForSequenceClassification.from_pretrained(
            where,
            config=config,
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
    if tokenizer.pad_token_id is None:
        raise ModelError(
            f"{settings.base_model}: has no padding token, like most text generators; use an "
            "encoder, such as bert-base-uncased."
        )
    tokenizer.model_max_length = settings.max_length
    if settings.fold_lookalikes:
        tokenizer = folding_tokenizer(tokenizer)
    if settings.freeze:
        freeze(model, settings.trainable_layers)
    return tokenizer, model


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
    """Return the same tokenizer with fold_lookalikes before it.

    It is a PreTrainedTokenizerFast: when transformers loads a tokenizer of a model's own class,
    such as BertTokenizer, it rebuilds the steps from the vocabulary, without these.
    """
    fold_lookalikes(tokenizer.backend_tokenizer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer,
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


def freeze(model: PreTrainedModel, trainable_layers: int) -> None:
    """Freeze the model, except for the head and the last layers of the encoder."""
    for parameter in model.base_model.parameters():
        parameter.requires_grad = False
    layers = encoder_layers(model)
    for layer in layers[max(0, len(layers) - trainable_layers) :]:
        for parameter in layer.parameters():
            parameter.requires_grad = True
