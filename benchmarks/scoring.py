"""How fast comments are scored: ours beside three other methods, on the same comments in one run.

    python benchmarks/scoring.py --data FILE

Where detoxify or openvino are installed, they take part: detoxify with bert-base, all comments in
one padded batch; OpenVINO with our model, each comment alone, in bf16 and in dynamic int8.

The methods take turns, so that a busy moment of the machine affects them all; the best round of
each counts. A comment is tokenized, run through the model and turned into probabilities.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
from common import (
    count,
    durations,
    encoder_parameters,
    flags_of,
    matrix_rates,
    print_table,
    read_comments,
    run,
    save_bert_base,
)

OURS, ONE_CALL, BATCHES, OUR_TORCH, DETOXIFY, BF16, INT8 = (
    "ours",
    "bert-base, one call a text",
    "bert-base, pipeline, batches of 16",
    "our model in torch, one call a text",
    "bert-base, detoxify, one batch",
    "our model in OpenVINO, bf16",
    "our model in OpenVINO, dynamic int8",
)
LATENCY_TOKENS = (72, 128)
Method = Callable[[list[str]], Any]


def main() -> int:
    """Measure, and print the tables."""
    parser = flags_of(__doc__)
    parser.add_argument("--comments", type=count, default=200, help="how many (%(default)s)")
    parser.add_argument("--rounds", type=count, default=3, help="times to score all (%(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=5, help="time for each latency and rate (%(default)s)"
    )
    parser.add_argument("--model", default="toxic-minilm", help="ours (%(default)s)")
    return run(parser, measure)


def measure(flags: argparse.Namespace) -> None:
    """Score the comments with every method, then one comment alone, then multiply matrices."""
    from comment_toxicity import load_classifier

    comments = read_comments(flags.data, flags.text_column, flags.comments)
    texts = comments[flags.text_column].astype(str).tolist()
    ours = load_classifier(flags.model)
    model, tokenizer = _torch_model(ours.folder.path)
    with TemporaryDirectory() as bert_base:
        save_bert_base(bert_base)
        bert, bert_tokenizer = _torch_model(bert_base)
        methods: dict[str, Method] = {
            OURS: ours.score,
            ONE_CALL: lambda texts: _one_call_a_text(bert, bert_tokenizer, texts),
            BATCHES: _pipeline(bert, bert_tokenizer),
            OUR_TORCH: lambda texts: _one_call_a_text(model, tokenizer, texts),
        }
        if find_spec("detoxify"):
            methods[DETOXIFY] = _detoxify(bert, bert_base)
    if find_spec("openvino"):
        methods |= {name: _openvino(model, tokenizer, name == INT8) for name in (BF16, INT8)}
    tokens = dict.fromkeys(methods, _count_tokens(tokenizer, texts))
    tokens |= dict.fromkeys((ONE_CALL, BATCHES, DETOXIFY), _count_tokens(bert_tokenizer, texts))
    tokens[OURS] = sum(len(window) for text in texts for window in ours.windows(text))

    for method in methods.values():
        method(texts[:2])  # warm-up
    best = dict.fromkeys(methods, np.inf)
    for _ in range(flags.rounds):
        for name, method in methods.items():
            started = perf_counter()
            method(texts)
            best[name] = min(best[name], perf_counter() - started)

    latencies = {name: _latencies(method, flags.seconds) for name, method in methods.items()}
    print(
        f"{len(texts)} comments of {flags.data}, {tokens[OURS] / len(texts):.0f} tokens each on "
        "average. Latency in ms of one comment alone, median / 95th percentile.\n"
    )
    print_table(
        ["", "comments/s", "tokens/s", "times", *(f"{n} tokens" for n in LATENCY_TOKENS)],
        [
            [
                name,
                len(texts) / best[name],
                tokens[name] / best[name],
                best[ONE_CALL] / best[name],
                *latencies[name],
            ]
            for name in methods
        ],
    )

    work = 2 * encoder_parameters(model) * tokens[OURS] / best[OURS]
    print(
        f"\nOurs does {work / 1e9:,.0f} billion operations a second (2 × encoder parameters × "
        "tokens/s).\nThe machine's own matrix products, on all cores:\n"
    )
    print_table(
        ["product", "billion operations/s", "ours is"],
        [
            [product, rate / 1e9, f"{work / rate:.0%}"]
            for product, rate in matrix_rates(flags.seconds).items()
        ],
    )


def _torch_model(folder: Any) -> tuple[Any, Any]:
    """The model that a folder's config describes, with random weights, and its tokenizer."""
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

    config = AutoConfig.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_config(config).eval()
    return model, AutoTokenizer.from_pretrained(folder)


def _one_call_a_text(model: Any, tokenizer: Any, texts: list[str]) -> list[Any]:
    """Score as the original project and its peers do."""
    import torch

    scores = []
    with torch.inference_mode():
        for text in texts:
            encoded = tokenizer(text, truncation=True, return_tensors="pt")
            scores.append(model(**encoded).logits.sigmoid()[0].tolist())
    return scores


def _pipeline(model: Any, tokenizer: Any) -> Method:
    from transformers import pipeline

    scorer = pipeline("text-classification", model=model, tokenizer=tokenizer, top_k=None)
    return lambda texts: scorer(texts, batch_size=16, truncation=True)


def _detoxify(model: Any, folder: str) -> Method:
    """The package's own code with the weights of a BERT whose config and tokenizer are in folder.

    All texts are one batch, padded to the longest.
    """
    import torch
    from detoxify import Detoxify

    classes = [f"label {index}" for index in range(model.config.num_labels)]
    architecture = {
        "model_type": folder,
        "model_name": type(model).__name__,
        "tokenizer_name": "AutoTokenizer",
        "num_classes": len(classes),
    }
    config = {"dataset": {"args": {"classes": classes}}, "arch": {"args": architecture}}
    checkpoint = str(Path(folder) / "detoxify.ckpt")
    torch.save({"config": config, "state_dict": model.state_dict()}, checkpoint)
    return Detoxify(checkpoint=checkpoint).predict


def _openvino(model: Any, tokenizer: Any, int8: bool) -> Method:
    """Score each text alone, as many at a time as OpenVINO likes; products in int8, or bf16."""
    import openvino
    import torch

    from finetune.export import BertGraph, Graph

    ids = torch.arange(16).reshape(2, 8)
    module = BertGraph(model) if model.config.model_type == "bert" else Graph(model)
    graph = openvino.convert_model(module.eval(), example_input=(ids, torch.ones_like(ids)))
    if int8:
        _make_weights_int8(graph)
    settings = {"PERFORMANCE_HINT": "THROUGHPUT"} | (
        {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "32"}
        if int8
        else {"INFERENCE_PRECISION_HINT": "bf16"}
    )
    queue = openvino.AsyncInferQueue(openvino.Core().compile_model(graph, "CPU", settings))

    def score(texts: list[str]) -> list[Any]:
        scores: list[Any] = [None] * len(texts)

        def keep(request: Any, index: int) -> None:
            scores[index] = 1 / (1 + np.exp(-request.get_output_tensor().data[0]))

        queue.set_callback(keep)
        for index, text in enumerate(texts):
            encoded = tokenizer(text, truncation=True, return_tensors="np")
            queue.start_async([encoded["input_ids"], encoded["attention_mask"]], index)
        queue.wait_all()
        return scores

    return score


def _make_weights_int8(graph: Any) -> None:
    """Replace the matrices of the products by int8 ones, with a scale for each channel."""
    from openvino import opset14 as operations

    for node in graph.get_ordered_ops():
        weights = node.input_value(1).get_node() if node.get_type_name() == "MatMul" else node
        if weights.get_type_name() != "Constant" or weights is node:
            continue
        inputs = 1 if node.get_attributes()["transpose_b"] else 0
        values = weights.data
        scale = np.abs(values).max(axis=inputs, keepdims=True) / 127
        rounded = operations.constant(np.round(values / scale).astype(np.int8))
        product = operations.multiply(
            operations.convert(rounded, "f32"), operations.constant(scale.astype(np.float32))
        )
        node.input(1).replace_source_output(product.output(0))


def _count_tokens(tokenizer: Any, texts: list[str]) -> int:
    return sum(map(len, tokenizer(texts, truncation=True)["input_ids"]))


def _latencies(method: Method, seconds: float) -> list[str]:
    """“median / 95th percentile” of one text alone in ms, at each length."""
    summaries = []
    for tokens in LATENCY_TOKENS:
        text = " ".join(["you"] * (tokens - 2))  # a token a word, [CLS] and [SEP]
        taken = np.array(durations(partial(method, [text]), seconds)) * 1000
        summaries.append(f"{np.median(taken):.1f} / {np.quantile(taken, 0.95):.1f}")
    return summaries


if __name__ == "__main__":
    sys.exit(main())
