"""The weights of a model folder that has model.onnx alone, as models/toxic-minilm: int8 → float.

So a shipped model can be trained further, on a community's own labels for example. Each weight is
off by at most half a step of its channel's scale, which moves scores as little as int8 itself did.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from transformers import AutoConfig, BertConfig, BertForSequenceClassification

from comment_toxicity.errors import ModelError

RENAMED = {
    "norm.": "bert.embeddings.LayerNorm.",
    "layers.": "bert.encoder.layer.",
    "pooler.": "bert.pooler.",
}
"""Beginnings of the names in export.BertGraph → those in BertForSequenceClassification."""


def has_onnx_alone(folder: Path) -> bool:
    """Whether a folder has model.onnx, and no weights that transformers reads."""
    return (folder / "model.onnx").is_file() and not any(
        path.suffix in (".safetensors", ".bin") for path in folder.iterdir()
    )


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """Read FOLDER/model.onnx as the state dict of a BertForSequenceClassification, in fp32.

    Undoes export.BertGraph: query, key and value apart, the query not scaled, segment embeddings
    of zeros (that of segment 0 is in the positions). Raises ModelError where finetune did not
    write the file or the model is not a BERT.
    """
    config, tensors = AutoConfig.from_pretrained(folder), _dequantized(folder / "model.onnx")
    whole = {
        f"projections.{layer}.{kind}"
        for layer in range(config.num_hidden_layers)
        for kind in ("weight", "bias")
    }
    if not isinstance(config, BertConfig) or not whole <= set(tensors):
        raise ModelError(
            f"{folder}: has model.onnx alone, and only a BERT that finetune exported can be "
            "trained further from that; give a folder with model.safetensors."
        )
    width, layers = config.hidden_size, config.num_hidden_layers
    embeddings = "bert.embeddings."
    weights = {
        embeddings + "word_embeddings.weight": tensors.pop("words.weight"),
        embeddings + "position_embeddings.weight": tensors.pop("positions"),
        embeddings + "token_type_embeddings.weight": np.zeros((config.type_vocab_size, width)),
    }
    for layer in range(layers):
        name = f"bert.encoder.layer.{layer}.attention.self."
        for kind in ("weight", "bias"):
            joined = tensors.pop(f"projections.{layer}.{kind}")
            if layer == layers - 1:
                joined = np.concatenate([tensors.pop(f"query.{kind}"), joined])
            query, key, value = np.split(joined, 3)
            scale = np.sqrt(width / config.num_attention_heads)
            weights[f"{name}query.{kind}"] = query * scale
            weights[f"{name}key.{kind}"], weights[f"{name}value.{kind}"] = key, value
    for own, tensor in tensors.items():
        start = next((start for start in RENAMED if own.startswith(start)), "")
        weights[RENAMED.get(start, "") + own.removeprefix(start)] = tensor
    expected = BertForSequenceClassification(config).state_dict()
    return {
        name: torch.tensor(weights[name], dtype=torch.float32).reshape(old.shape)
        if name in weights
        else old
        for name, old in expected.items()
    }


def _dequantized(path: Path) -> dict[str, NDArray[np.floating]]:
    """The named weights of an ONNX file, a layer's as (outputs × inputs), as torch has them."""
    stored = {
        tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer
    }
    tensors: dict[str, NDArray[np.floating]] = {}
    for name, value in stored.items():
        if name.endswith("_quantized"):
            weight = name.removesuffix("_quantized")
            scale, zero = stored[weight + "_scale"], stored[weight + "_zero_point"]
            whole = (value.astype(np.float32) - zero.astype(np.float32)) * scale
            tensors[weight] = whole if scale.ndim == 0 else whole.T
        elif name == "positions" or (
            "." in name
            and value.dtype == np.float32
            and not name.endswith(("_scale", "_zero_point"))
        ):
            tensors[name] = value
    return tensors
