"""Training rows → a fine-tuned encoder in RUN/trained, by transformers' Trainer.

Beside it: RUN/checkpoints, from which an interrupted run resumes, RUN/curves.jsonl and curves.png.
"""

import contextlib
import copy
import json
import math
import pickle
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from transformers import Trainer, TrainingArguments

from comment_toxicity.cpu import keep_torch_to_cores, torch_device
from comment_toxicity.errors import DataError, ModelError, SettingsError
from finetune import record
from finetune.config import Settings
from finetune.data import teachers
from finetune.data.labels import at_half, label_matrix, row_languages
from finetune.data.mix import with_noise
from finetune.data.split import Split
from finetune.train.adapters import add_adapters
from finetune.train.base import averaged, load_base
from finetune.train.callbacks import (
    CurvesCallback,
    LastStepCallback,
    MovedCallback,
    PatienceCallback,
    ProgressCallback,
    TimedCheckpointCallback,
)
from finetune.train.dataset import Collator, CommentDataset, SimilarLengthSampler
from finetune.train.loss import CommentTrainer, LabelLoss, parameter_groups, validation_metrics
from finetune.train.machine import (
    half_precision,
    is_faster_in,
    keep_freed_memory,
    of_first_process,
)
from finetune.train.vocabulary import cut_vocabulary


def train(split: Split, settings: Settings, run_folder: Path, resume: bool) -> dict[str, Any]:
    """Fine-tune on split.train and keep the checkpoint that is best on split.validation.

    resume: continue from the last complete checkpoint in run_folder, if there is one.
    Returns steps, seconds, the best validation metric and, after a resume, the checkpoint that it
    continued from, for the run's record.
    """
    keep_torch_to_cores()
    keep_freed_memory()
    tokenizer, model = load_base(settings)
    kept = 1.0
    if settings.vocabulary:
        texts = split.train[settings.text_column].tolist()
        languages = row_languages(split.train, settings.layout, settings.main_language).tolist()
        tokenizer, kept = cut_vocabulary(tokenizer, model, settings.vocabulary, texts, languages)
    base = copy.deepcopy(model.state_dict()) if settings.average_with_base else {}
    adapters = add_adapters(model, settings.lora) if settings.lora else None
    labels = label_matrix(split.train, settings.layout)
    noisy_rows = with_noise(split.train, settings)
    train_rows = _dataset(
        noisy_rows, teachers.targets(noisy_rows, labels, settings), settings, tokenizer
    )
    validation = split.validation
    by_length = validation[settings.text_column].str.len().argsort(kind="stable")
    validation = validation.iloc[by_length]
    validation_rows = _dataset(
        validation, label_matrix(validation, settings.layout), settings, tokenizer
    )

    arguments = _arguments(settings, run_folder, len(train_rows))
    precision = _precision(settings, run_folder, arguments, resume)
    if precision == "fp16":  # the Trainer scales its gradients, which are too small for fp16
        arguments.fp16, arguments.mixed_precision = True, "fp16"
    loss = LabelLoss(settings, at_half(labels)).to(arguments.device)
    trainer = CommentTrainer(
        SimilarLengthSampler(train_rows.lengths, settings.batch_size, settings.seed),
        parameter_groups(model, settings),
        precision == "bf16",
        model=model,
        args=arguments,
        train_dataset=train_rows,
        eval_dataset=validation_rows,
        data_collator=Collator(tokenizer.pad_token_id or 0),
        processing_class=tokenizer,
        compute_loss_func=loss,
        compute_metrics=lambda prediction: validation_metrics(prediction, settings),
    )
    trainer.add_callback(LastStepCallback())
    trainer.add_callback(TimedCheckpointCallback())
    trainer.add_callback(MovedCallback())
    trainer.add_callback(CurvesCallback(run_folder, settings.best_by))
    trainer.add_callback(ProgressCallback(run_folder))
    if settings.patience:
        trainer.add_callback(PatienceCallback(settings.patience))
    if trainer.is_world_process_zero():
        record.add(run_folder, bf16=precision == "bf16", fp16=precision == "fp16")
    checkpoint = last_complete_checkpoint(run_folder / "checkpoints") if resume else None
    started = time.monotonic()
    with _translating_errors(trainer, run_folder, checkpoint):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        if adapters:
            adapters.merge_and_unload()
        best = trainer.state.best_metric
        if base:
            model.load_state_dict(averaged(base, model.state_dict(), settings.average_with_base))
            best = trainer.evaluate()[f"eval_{settings.best_by}"]
        if trainer.is_world_process_zero():
            trained = run_folder / "trained"
            shutil.rmtree(trained, ignore_errors=True)
            model.save_pretrained(trained)
            tokenizer.save_pretrained(trained)
    return {
        "steps": trainer.state.global_step,
        "best_step": trainer.state.best_global_step or trainer.state.global_step,
        "train_seconds": round(time.monotonic() - started, 1),
        f"best_{settings.best_by}": best if best is not None else math.nan,
        **({"vocabulary_kept": round(kept, 4)} if settings.vocabulary else {}),
        **({"resumed_from": checkpoint.name} if checkpoint else {}),
    }


@contextlib.contextmanager
def _translating_errors(
    trainer: Trainer, run_folder: Path, checkpoint: Path | None
) -> Iterator[None]:
    """Translate what can go wrong in training, and a user can fix, into a ModelError."""
    try:
        yield
    except (pickle.UnpicklingError, EOFError) as error:  # torch reads nothing that would run code
        raise _unreadable(checkpoint) from error
    except (OSError, SafetensorError, RuntimeError, ValueError, KeyError) as error:
        cause = getattr(error, "strerror", None) or " ".join(str(error).split())[:160]
        if checkpoint and ("size mismatch" in str(error) or "state dict" in str(error)):
            raise ModelError(
                f"{checkpoint}: a checkpoint of another model; start over with --clear."
            ) from None
        if checkpoint and "PytorchStreamReader" in cause:
            raise _unreadable(checkpoint) from error
        # The last is in the RuntimeError that torch raises when it cannot write.
        if isinstance(error, OSError | SafetensorError) or "PytorchStreamWriter" in cause:
            raise ModelError(
                f"{run_folder}: the run cannot be written there ({cause}); free some space, then "
                "continue with --resume."
            ) from error
        raise
    finally:
        for callback in trainer.callback_handler.callbacks:
            for name in ("prediction_bar", "training_bar"):
                if bar := getattr(callback, name, None):
                    bar.close()


def _unreadable(checkpoint: Path | None) -> ModelError:
    return ModelError(
        f"{checkpoint}: a file of this checkpoint is damaged, or holds code, which is never run; "
        "delete the checkpoint, or start over with --clear."
    )


def last_complete_checkpoint(folder: Path) -> Path | None:
    """Find the last complete checkpoint; remove the pieces of later ones.

    The Trainer writes trainer_state.json last, so a checkpoint where it parses is complete.
    """
    by_step = sorted(
        folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]), reverse=True
    )
    for checkpoint in by_step:
        try:
            json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
            return checkpoint
        except (OSError, ValueError):
            shutil.rmtree(checkpoint, ignore_errors=True)  # so do torchrun's other processes
    return None


def _dataset(rows, targets: np.ndarray, settings: Settings, tokenizer) -> CommentDataset:
    if settings.single_label:
        targets = targets.argmax(axis=1)
    return CommentDataset(
        rows[settings.text_column].tolist(), targets, tokenizer, settings.max_length
    )


def _precision(
    settings: Settings, run_folder: Path, arguments: TrainingArguments, resume: bool
) -> str:
    """The precision of this run: fp32, bf16 or fp16. SettingsError for one that is not there."""
    device = arguments.device
    half = half_precision(device)
    if settings.precision == "auto":
        # A resumed run keeps its precision: one that is half of each can be repeated by nobody.
        known = record.load(run_folder) if resume else {}
        kept = [name for name in ("bf16", "fp16") if known.get(name)]
        faster = bool(kept) if "bf16" in known else is_faster_in(half, device)
        return [*kept, half][0] if of_first_process(faster, arguments) else "fp32"
    if settings.precision == "bf16" and half != "bf16":
        raise SettingsError(
            "precision is bf16, which this GPU only emulates; use fp16, fp32, or auto."
        )
    if settings.precision == "fp16" and device.type != "cuda":
        raise SettingsError("precision is fp16, which needs a CUDA GPU; use auto.")
    return settings.precision


def _arguments(settings: Settings, run_folder: Path, rows: int) -> TrainingArguments:
    """The Trainer's arguments for these settings. Raises DataError or SettingsError."""
    if rows < settings.batch_size:
        raise DataError(
            f"{settings.train_data}: {rows} training rows are less than one batch; "
            f"set --batch-size to {rows} or less."
        )
    device = torch.device(torch_device("auto"))
    steps_per_epoch = math.ceil(rows / settings.batch_size)
    interval = max(1, steps_per_epoch // settings.evaluations_per_epoch)
    if settings.max_steps:
        interval = min(interval, settings.max_steps)
    arguments = TrainingArguments(
        output_dir=str(run_folder / "checkpoints"),
        use_cpu=device.type == "cpu",
        num_train_epochs=settings.epochs,
        max_steps=settings.max_steps or -1,
        per_device_eval_batch_size=64,
        gradient_accumulation_steps=settings.accumulate,
        learning_rate=settings.learning_rate,
        warmup_steps=settings.warmup,
        lr_scheduler_type="linear",
        eval_strategy="steps",
        save_strategy="steps",
        eval_steps=interval,
        save_steps=interval,
        save_total_limit=1,  # beside the best
        logging_steps=max(1, min(50, interval // 5)),
        load_best_model_at_end=True,
        metric_for_best_model=f"eval_{settings.best_by}",
        greater_is_better=settings.best_by != "loss",
        remove_unused_columns=False,
        dataloader_pin_memory=device.type == "cuda",
        ddp_find_unused_parameters=False,
        seed=settings.seed,
        report_to=settings.report_to or "none",
    )
    if arguments.n_gpu > 1:
        # Without torchrun, the Trainer would share each batch between them by DataParallel, whose
        # threads forget bf16 and compute in fp16.
        print(
            f"   note: of {arguments.n_gpu} GPUs, only the first is used; for all of them: "
            f"torchrun --nproc-per-node {arguments.n_gpu} -m finetune …"
        )
        arguments._n_gpu = 1
    shares = arguments.world_size * settings.accumulate
    if settings.batch_size % shares:
        raise SettingsError(
            f"batch_size is {settings.batch_size}, which {arguments.world_size} process(es) with "
            f"accumulate {settings.accumulate} cannot divide evenly; use a multiple of {shares}."
        )
    arguments.per_device_train_batch_size = settings.batch_size // shares
    return arguments
