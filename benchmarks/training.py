"""How fast a model is trained: ours beside the original recipe, on the same rows and base.

    python benchmarks/training.py --data FILE

The original recipe: each comment tokenized when its turn comes and padded to 512 tokens, fp32.
Ours: finetune with configs/jigsaw-bert.toml, but for 192 tokens and no attention dropout. Both with
bert-base (random weights), 16 comments a step. Then MiniLM with configs/jigsaw-minilm-wide.toml, on
64 comments of 64 tokens a step, as a share of the machine's matrix rate. Each runs twice the steps;
the second half counts.
"""

import argparse
import contextlib
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from common import (
    ROOT,
    count,
    encoder_parameters,
    flags_of,
    matrix_rates,
    print_table,
    read_comments,
    run,
    save_bert_base,
)

MINILM_TOKENS = 64


def main() -> int:
    """Measure, and print the tables."""
    parser = flags_of(__doc__)
    parser.add_argument(
        "--steps",
        type=count,
        default=20,
        help="steps to time; the original gets a tenth of them (%(default)s)",
    )
    parser.add_argument(
        "--seconds", type=float, default=5, help="time for each matrix rate (%(default)s)"
    )
    return run(parser, measure)


def measure(flags: argparse.Namespace) -> None:
    """Train bert-base in both ways, then MiniLM."""
    measure_bert_base(flags)
    measure_minilm(flags)
    print("\nOperations: 6 × encoder parameters × tokens.")


def measure_bert_base(flags: argparse.Namespace) -> None:
    """Train on comments by the original recipe, and by ours."""
    from comment_toxicity.errors import DataError
    from finetune.config import Settings, from_toml

    with TemporaryDirectory() as scratch:
        base = Path(scratch) / "bert-base"
        recipe = Settings(
            **from_toml(ROOT / "configs/jigsaw-bert.toml")
            # 192 tokens hold nine of ten comments; attention dropout costs a fifth of the speed.
            | {"max_length": 192, "attention_dropout": 0.0}
            | {"base_model": str(base), "output_dir": scratch, "text_column": flags.text_column}
        )
        rows = read_comments(flags.data, recipe.text_column, recipe.batch_size * flags.steps)
        if len(rows) < recipe.batch_size:
            raise DataError(
                f"{flags.data}: {len(rows)} comments, but a step takes {recipe.batch_size}; "
                "give a longer --data."
            )
        save_bert_base(base)
        original = _original(rows, recipe, max(1, flags.steps // 10))
        ours = _ours(_tokenized(rows, recipe), recipe, flags.steps)[0]
    print(f"bert-base, {len(rows)} comments of {flags.data}, examples/s:\n")
    print_table(
        ["", "examples/s", "times"],
        [["the original recipe", original, 1.0], ["ours", ours, ours / original]],
    )


def measure_minilm(flags: argparse.Namespace) -> None:
    """Train MiniLM on random tokens, and multiply matrices before and after."""
    from finetune.config import Settings, from_toml

    with TemporaryDirectory() as scratch:
        minilm = Settings(
            **from_toml(ROOT / "configs/jigsaw-minilm-wide.toml") | {"output_dir": scratch}
        )
        rates = [matrix_rates(flags.seconds)["bf16"]]
        examples = _random_examples(minilm.batch_size * flags.steps)
        rate, parameters = _ours(examples, minilm, flags.steps)
        rates.append(matrix_rates(flags.seconds)["bf16"])
    work = 6 * parameters * rate * MINILM_TOKENS
    print(f"\nMiniLM, {MINILM_TOKENS} tokens, {minilm.batch_size} comments a step:\n")
    print_table(
        ["examples/s", "billion operations/s", "the machine's bf16 matrix rate", "share"],
        [[rate, work / 1e9, max(rates) / 1e9, f"{work / max(rates):.2f}"]],
    )


def _original(rows: Any, settings: Any, steps: int) -> float:
    """Train as the original project does. Returns examples/s."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer

    tokenizer = AutoTokenizer.from_pretrained(settings.base_model)
    model = AutoModelForSequenceClassification.from_pretrained(settings.base_model)
    texts = rows[settings.text_column].tolist()
    targets = _targets(rows, settings)

    class RowByRow(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(texts)

        def __getitem__(self, index: int) -> dict:
            encoded = tokenizer(
                texts[index],
                padding="max_length",
                truncation=True,
                max_length=512,
                return_tensors="pt",
            )
            item = {name: values[0] for name, values in encoded.items()}
            return item | {"labels": torch.tensor(targets[index])}

    arguments = _arguments(settings, steps)
    trainer = Trainer(model=model, args=arguments, train_dataset=RowByRow())
    return _examples_per_second(trainer, settings.batch_size, steps)


def _tokenized(rows: Any, settings: Any) -> Any:
    from finetune.train.base import load_base
    from finetune.train.dataset import CommentDataset

    tokenizer, _ = load_base(settings)
    texts = rows[settings.text_column].tolist()
    return CommentDataset(texts, _targets(rows, settings), tokenizer, settings.max_length)


def _targets(rows: Any, settings: Any) -> Any:
    """Labels of zeros: a step takes the same time whatever they are."""
    import numpy as np

    return np.zeros((len(rows), len(settings.labels)), dtype=np.float32)


def _random_examples(count: int) -> list[dict]:
    import torch

    ids = torch.randint(1000, 20_000, (count, MINILM_TOKENS)).tolist()
    return [{"input_ids": row, "labels": torch.zeros(6)} for row in ids]


def _ours(examples: Sequence[dict], settings: Any, steps: int) -> tuple[float, int]:
    """Train as finetune does. Returns examples/s and the encoder's parameters."""
    import numpy as np

    from finetune.train.base import load_base
    from finetune.train.dataset import Collator, SimilarLengthSampler
    from finetune.train.loss import CommentTrainer, LabelLoss, parameter_groups
    from finetune.train.machine import half_precision, is_faster_in, keep_freed_memory

    keep_freed_memory()
    arguments = _arguments(settings, steps)
    tokenizer, model = load_base(settings)
    items = [examples[index] for index in range(len(examples))]
    lengths = np.array([len(item["input_ids"]) for item in items])
    targets = np.stack([item["labels"].numpy() for item in items])
    trainer = CommentTrainer(
        SimilarLengthSampler(lengths, settings.batch_size, settings.seed),
        parameter_groups(model, settings),
        half_precision(_device()) == "bf16" and is_faster_in("bf16", _device()),
        model=model,
        args=arguments,
        train_dataset=examples,
        data_collator=Collator(tokenizer.pad_token_id or 0),
        compute_loss_func=LabelLoss(settings, targets),
    )
    rate = _examples_per_second(trainer, settings.batch_size, steps)
    return rate, encoder_parameters(model)


def _device() -> Any:
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _arguments(settings: Any, steps: int) -> Any:
    """Set the Trainer to train and nothing else: no evaluation, no checkpoint."""
    from transformers import TrainingArguments

    return TrainingArguments(
        output_dir=settings.output_dir,
        per_device_train_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        max_steps=2 * steps,
        use_cpu=_device().type == "cpu",
        save_strategy="no",
        logging_strategy="no",
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        report_to="none",
    )


def _examples_per_second(trainer: Any, batch_size: int, steps: int) -> float:
    """Train. Returns the rate of the second half, because the first pays for the warm-up."""
    from transformers import TrainerCallback

    ends: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, args, state, control, **_) -> None:
            ends.append(perf_counter())

    trainer.add_callback(Clock())
    with contextlib.redirect_stdout(io.StringIO()):  # the Trainer's closing words
        trainer.train()
    return batch_size * steps / (ends[-1] - ends[steps - 1])


if __name__ == "__main__":
    sys.exit(main())
