"""A trained model → the folder that comment_toxicity/ reads: weights, config and tokenizer.

model.safetensors is the model as trained, in fp32. model.onnx is the same function for CPUs:
weights int8 with a scale for each output channel, activations int8 with a scale drawn at each run,
from `input_ids` and `attention_mask` (int64, batch × tokens) to `logits` (float32, batch × labels).
With int8_blocks, weights and activations have a scale for each so many values of a row instead.

int8 is not for every model: export_close() measures how far it moves the scores, and decides.
"""

import logging
import math
import shutil
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import (
    DefaultWeightOnlyQuantConfig,
    MatMulNBitsQuantizer,
)
from onnxruntime.quantization.onnx_model import ONNXModel
from safetensors import SafetensorError
from scipy.special import expit, softmax
from torch import Tensor, nn
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertForSequenceClassification,
    PreTrainedModel,
)

from comment_toxicity import load_classifier
from comment_toxicity.cpu import torch_device
from comment_toxicity.errors import ModelError
from finetune.train.dataset import Collator, CommentDataset

FAR = 0.05
"""By how much int8 may move a label's scores on average: a twentieth of their range."""
BLOCK = 32  # values that share a scale, where int8 by channel moves the scores further


class OnnxError(ModelError):
    """A model that ONNX cannot express."""


def export_close(
    trained: Path,
    folder: Path,
    texts: list[str],
    formats: Iterable[str],
    max_length: int,
    int8_blocks: int = 0,
    single_label: bool = False,
) -> tuple[dict[str, Any], list[str]]:
    """Export as export_model() does, with a model.onnx only where its scores are near enough.

    texts: on which both models are compared; those longer than one window are left out.
    A model.onnx that moves the scores of a label by more than FAR on average is written again with
    a scale for each BLOCK values. Where that does not help, and where ONNX cannot express the
    model, model.safetensors is written without it.
    Returns the differences for the run's record, and a sentence for each decision.
    """
    notes: list[str] = []
    formats = list(formats)
    if "onnx" not in formats:
        export_model(trained, folder, formats, max_length)
        return {}, notes
    before: np.ndarray | None = None
    for size in [int8_blocks] if int8_blocks else [0, BLOCK]:
        try:
            export_model(trained, folder, formats, max_length, size)
        except OnnxError as error:
            notes.append(str(error))
            break
        try:
            exported = load_classifier(folder)
            # Of a text longer than one window the two models see different parts.
            texts = [text for text in texts if len(exported.windows(text)) == 1]
            if not texts:
                return {}, notes
            after = exported.logits(texts)
        except ModelError as error:  # ONNX Runtime lacks an operation, for example
            notes.append(str(error))
            continue
        if before is None:
            before = torch_logits(trained, texts, exported.folder.window)
        moved = compare_scores(before, after, single_label)
        worst = int(np.argmax(moved["mean_difference"]))
        if moved["mean_difference"][worst] <= FAR:
            return moved | {"rows": len(texts), "int8_blocks": size}, notes
        notes.append(
            f"int8{f' in blocks of {size}' if size else ''} moves scores of "
            f"{exported.labels[worst]} by {moved['mean_difference'][worst]:.2f} on average."
        )
    export_model(trained, folder, ["safetensors"], max_length)
    notes.append("There is no model.onnx: the model is model.safetensors, and scoring needs torch.")
    return {"onnx_left_out": notes[-2]}, notes


def export_model(
    trained: str | Path,
    folder: str | Path,
    formats: Iterable[str] = ("safetensors", "onnx"),
    max_length: int = 512,
    int8_blocks: int = 0,
) -> None:
    """Write the model folder, replacing an older one as a whole.

    trained: a folder by transformers' save_pretrained, of a sequence classifier and its tokenizer.
    formats: which weights to write, "safetensors" and/or "onnx".
    max_length: window in tokens, [CLS] and [SEP] among them, for tokenizer_config.json.
    int8_blocks: values that share a scale in model.onnx, one of BLOCKS; 0: a channel, or a text.

    The folder appears when it is complete: it is written as NAME.part beside it, and renamed.
    Raises ModelError when trained cannot be read, and when the folder cannot be written (a full
    disk, for example); OnnxError when ONNX cannot express the model. Then nothing is left behind.
    """
    folder = Path(folder)
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)  # left over from a killed export
    model, tokenizer = _load(trained)
    try:
        part.mkdir(parents=True)
        model.config.save_pretrained(part)
        _save_tokenizer(tokenizer, part, max_length)
        if "safetensors" in formats:
            model.save_pretrained(part)
            (part / "model.safetensors").chmod(0o644)  # safetensors gives it to the owner alone
        if "onnx" in formats:
            _save_onnx(model, part / "model.onnx", int8_blocks)
        if folder.exists():
            shutil.rmtree(folder)  # not kept: its decision.json belongs to other weights
        part.rename(folder)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelError(
            f"{folder}: the model cannot be written there ({reason}); "
            "free some space or choose another folder, then export again."
        ) from error
    except torch.onnx.errors.OnnxExporterError as error:
        raise OnnxError(
            f"{trained}: a {model.config.model_type} model, which torch cannot convert to ONNX; "
            "leave onnx out of --formats."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def torch_logits(folder: Path, texts: list[str], max_length: int) -> np.ndarray:
    """Score the first max_length tokens of texts by a trained folder in fp32: (texts × labels)."""
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    model = AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=False)
    device = torch_device("auto")
    model = model.eval().to(device)
    rows = CommentDataset(texts, np.zeros(len(texts)), tokenizer, max_length)
    order = np.argsort(rows.lengths, kind="stable")
    collate = Collator(tokenizer.pad_token_id or 0)
    logits = np.empty((len(texts), model.config.num_labels), dtype=np.float32)
    with torch.inference_mode():
        for part in np.array_split(order, math.ceil(len(order) / 32)):
            batch = collate([rows[index] for index in part])
            del batch["labels"]
            logits[part] = (
                model(**{name: value.to(device) for name, value in batch.items()})
                .logits.cpu()
                .numpy()
            )
    return logits


def compare_scores(
    before: np.ndarray, after: np.ndarray, single_label: bool = False
) -> dict[str, list[float]]:
    """How far the exported model's probabilities are from the trained model's.

    before, after: logits (texts × labels) of the two, rows in the same order; no NaN.
    Returns the mean and the greatest absolute difference, each a list with one value per label.
    """
    if single_label:
        difference = np.abs(softmax(after, axis=1) - softmax(before, axis=1))
    else:
        difference = np.abs(expit(after) - expit(before))
    difference = difference.astype(float)  # so that six digits are six in JSON
    return {
        "mean_difference": difference.mean(axis=0).round(6).tolist(),
        "max_difference": difference.max(axis=0).round(6).tolist(),
    }


def _load(trained: str | Path) -> tuple[PreTrainedModel, Any]:
    if not Path(trained, "tokenizer.json").is_file():
        # transformers would make up a tokenizer without a single word
        raise ModelError(f"{trained}: tokenizer.json is missing; train the model again.")
    try:
        # Eager attention: sdpa's graph takes 8 % longer, guarding against rows all masked.
        model = AutoModelForSequenceClassification.from_pretrained(
            trained, dtype=torch.float32, attn_implementation="eager", trust_remote_code=False
        )
        return model.eval(), AutoTokenizer.from_pretrained(trained, trust_remote_code=False)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"{trained}: no trained model can be read there ({' '.join(str(error).split())[:160]});"
            " train it again."
        ) from error


def _save_tokenizer(tokenizer: Any, folder: Path, max_length: int) -> None:
    tokenizer.model_max_length = max_length
    # windows.py cuts texts itself; a truncation in tokenizer.json would lose text unnoticed.
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    for name in ("max_length", "stride", "truncation_strategy", "pad_to_multiple_of"):
        tokenizer.init_kwargs.pop(name, None)  # the same truncation, in its config
    tokenizer.save_pretrained(folder)


def _save_onnx(model: PreTrainedModel, path: Path, int8_blocks: int) -> None:
    graph = BertGraph(model) if isinstance(model, BertForSequenceClassification) else Graph(model)
    ids = torch.arange(16).reshape(2, 8) % model.config.vocab_size
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    axes = {0: "batch", 1: "tokens"}
    for name in ("torch.onnx", "onnxscript"):
        logging.getLogger(name).setLevel(logging.ERROR)  # “torchvision is not installed”
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export's, about its own internals
        program: Any = torch.onnx.export(
            graph.eval(),
            (ids, mask),
            dynamo=True,
            verbose=False,
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_shapes=(axes, axes),
        )
    exported = program.model_proto
    del exported.graph.value_info[:]  # the exporter's shapes, which onnx's own inference refuses
    # Else quantize_dynamic advises what the exporter has done: infer shapes, fold constants.
    onnx.helper.set_model_props(exported, {"onnx.quant.pre_process": "onnxruntime.quant"})
    if int8_blocks:
        exported = _in_blocks(exported, int8_blocks)
        quantize_dynamic(
            exported, path, weight_type=QuantType.QInt8, op_types_to_quantize=["Gather"]
        )
    else:
        quantize_dynamic(exported, path, weight_type=QuantType.QInt8, per_channel=True)


def _in_blocks(exported: onnx.ModelProto, size: int) -> onnx.ModelProto:
    """Make int8 of the matrix products, with a scale for each `size` values of a row.

    Where a few activations are far larger than the others, one scale for all leaves these no
    digits. Measured on multilingual-e5-small with 60,000 pieces and a head on its frozen states:
    scores move by .045 on average with a scale per text and channel, by .026 with blocks of 128
    and by .019 with blocks of 32, which take 48 MB instead of 46. The embeddings cost .004 of it.
    """
    graph = ONNXModel(exported)
    graph.replace_gemm_with_matmul()
    settings = DefaultWeightOnlyQuantConfig(
        block_size=size,
        is_symmetric=True,
        accuracy_level=4,  # activations in int8 too, by the same blocks
        bits=8,
        op_types_to_quantize=("MatMul",),
    )
    quantizer = MatMulNBitsQuantizer(graph.model, algo_config=settings)
    quantizer.process()
    blocks = quantizer.model.model
    onnx.helper.set_model_props(blocks, {"onnx.quant.pre_process": "onnxruntime.quant"})
    return blocks


class Graph(nn.Module):
    """Any sequence classifier as transformers computes it: ids and mask in, logits out."""

    def __init__(self, model: PreTrainedModel):
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return (batch × labels) logits from two (batch × tokens) int64."""
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


class BertGraph(nn.Module):
    """BertForSequenceClassification, the same function in the operations ONNX Runtime does fastest.

    Measured on one AVX512-VNNI core, MiniLM, int8, one text of 72 tokens (least of 60 runs):
    4.6 ms as transformers writes it, 4.9 after onnxruntime.transformers' BERT fusions (QAttention,
    SkipLayerNormalization), 3.3 like this; at 256 tokens 18.6, 18.0 and 11.8 ms. Because:

    - The last layer computes [CLS] alone, the one position that the head reads.
    - Query, key and value are one matrix product; 1/√width is in the query's weights.
    - Between attentions the tokens of all texts are rows of one matrix. ONNX Runtime fuses
      Add and LayerNormalization of three axes into SkipLayerNormalization, which is 5 times slower.
    - No segment ids: all tokens are of segment 0, whose embedding is in the position table.
    """

    def __init__(self, model: BertForSequenceClassification):
        super().__init__()
        config, embeddings = model.config, model.bert.embeddings
        self.heads = config.num_attention_heads
        self.words = embeddings.word_embeddings
        self.positions = nn.Parameter(
            embeddings.position_embeddings.weight + embeddings.token_type_embeddings.weight[0]
        )
        self.norm = embeddings.LayerNorm
        self.layers = cast(Any, model.bert.encoder.layer)  # mypy takes its items for tensors
        self.pooler: Any = model.bert.pooler
        self.classifier = model.classifier
        self.projections = nn.ModuleList()
        for layer in self.layers:
            attention = layer.attention.self
            query = _scaled(attention.query, attention.scaling)
            if layer is self.layers[-1]:
                self.query = query
                self.projections.append(_side_by_side(attention.key, attention.value))
            else:
                self.projections.append(_side_by_side(query, attention.key, attention.value))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return (batch × labels) logits from two (batch × tokens) int64."""
        batch, tokens = input_ids.shape
        x = self.norm(self.words(input_ids) + self.positions[:tokens])
        width = x.shape[-1]
        x = x.reshape(-1, width)
        mask = (1 - attention_mask[:, None, None, :].to(x.dtype)) * torch.finfo(x.dtype).min
        for layer, projection in zip(self.layers, self.projections, strict=True):
            heads = projection(x).reshape(batch, tokens, -1, width // self.heads).transpose(1, 2)
            if layer is self.layers[-1]:
                x = x.reshape(batch, tokens, width)[:, 0]
                query = self.query(x).reshape(batch, self.heads, 1, -1)
                key, value = heads.split(self.heads, dim=1)
            else:
                query, key, value = heads.split(self.heads, dim=1)
            attention = (query @ key.transpose(-1, -2) + mask).softmax(-1) @ value
            x = layer.attention.output(attention.transpose(1, 2).reshape(-1, width), x)
            x = layer.output(layer.intermediate(x), x)
        # The pooler takes the first of three axes; here every text is down to that one token.
        return self.classifier(self.pooler(x[:, None]))


def _scaled(linear: nn.Linear, factor: float) -> nn.Linear:
    scaled = nn.Linear(linear.in_features, linear.out_features)
    scaled.load_state_dict({name: factor * value for name, value in linear.state_dict().items()})
    return scaled


def _side_by_side(*linears: nn.Linear) -> nn.Linear:
    """Join layers with the same input into one that concatenates their outputs."""
    joined = nn.Linear(linears[0].in_features, sum(linear.out_features for linear in linears))
    joined.load_state_dict(
        {
            name: torch.cat([linear.state_dict()[name] for linear in linears])
            for name in ("weight", "bias")
        }
    )
    return joined
