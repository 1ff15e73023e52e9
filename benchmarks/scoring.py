"""How fast comments are scored: ours beside three other methods, on the same comments in one run.

    python benchmarks/scoring.py --data FILE

The methods take turns, so that a busy moment of the machine affects them all; the best round of
each counts. A comment is tokenized, run through the model and turned into probabilities.
"""

import argparse
import sys
from collections.abc import Callable
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

OURS, ONE_CALL, BATCHES, OUR_TORCH = (
    "ours",
    "bert-base, one call a text",
    "bert-base, pipeline, batches of 16",
    "our model in torch, one call a text",
)
LATENCY_TOKENS = (72, 128)


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
    with TemporaryDirectory() as bert_base:
        save_bert_base(bert_base)
        bert, bert_tokenizer = _torch_model(bert_base)
    model, tokenizer = _torch_model(ours.folder.path)
    methods: dict[str, Callable[[list[str]], Any]] = {
        OURS: ours.score,
        ONE_CALL: lambda texts: _one_call_a_text(bert, bert_tokenizer, texts),
        BATCHES: _pipeline(bert, bert_tokenizer),
        OUR_TORCH: lambda texts: _one_call_a_text(model, tokenizer, texts),
    }
    tokens = {name: _count_tokens(bert_tokenizer, texts) for name in (ONE_CALL, BATCHES)}
    tokens[OURS] = sum(len(window) for text in texts for window in ours.windows(text))
    tokens[OUR_TORCH] = _count_tokens(tokenizer, texts)

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


def _pipeline(model: Any, tokenizer: Any) -> Callable[[list[str]], Any]:
    from transformers import pipeline

    scorer = pipeline("text-classification", model=model, tokenizer=tokenizer, top_k=None)
    return lambda texts: scorer(texts, batch_size=16, truncation=True)


def _count_tokens(tokenizer: Any, texts: list[str]) -> int:
    return sum(map(len, tokenizer(texts, truncation=True)["input_ids"]))


def _latencies(method: Callable[[list[str]], Any], seconds: float) -> list[str]:
    """“median / 95th percentile” of one text alone in ms, at each length."""
    summaries = []
    for tokens in LATENCY_TOKENS:
        text = " ".join(["you"] * (tokens - 2))  # a token a word, [CLS] and [SEP]
        taken = np.array(durations(lambda text=text: method([text]), seconds)) * 1000
        summaries.append(f"{np.median(taken):.1f} / {np.quantile(taken, 0.95):.1f}")
    return summaries


if __name__ == "__main__":
    sys.exit(main())
