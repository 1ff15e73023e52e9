"""Training rows → a fine-tuned encoder in RUN/trained, by transformers' Trainer.

Beside it: RUN/checkpoints (what an interrupted run goes on from), RUN/curves.jsonl and curves.png.
"""

import contextlib
import copy
import ctypes
import json
import math
import shutil
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError
from sklearn.metrics import accuracy_score, average_precision_score, roc_auc_score
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    EvalPrediction,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from comment_toxicity.cpu import keep_torch_to_cores
from comment_toxicity.disk import write_whole
from comment_toxicity.errors import DataError, ModelError, SettingsError
from comment_toxicity.folder import ROBERTA_LIKE
from finetune import record
from finetune.config import Settings
from finetune.data import teachers
from finetune.data.confusables import fold_lookalikes
from finetune.data.noise import add_noise
from finetune.data.split import Split, label_matrix
from finetune.train.dataset import UNKNOWN, Collator, CommentDataset, SimilarLengthSampler
from finetune.train.progress import ProgressCallback

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h


def train(split: Split, settings: Settings, run_folder: Path, resume: bool) -> dict[str, Any]:
    """Fine-tune on split.train, keep the checkpoint that is best on split.validation.

    resume: go on from the last whole checkpoint of run_folder, if there is one.
    Returns steps, seconds, the best validation figure, and the checkpoint that it went on from if
    it did, for the run's record.
    """
    keep_torch_to_cores()
    keep_freed_memory()
    tokenizer, model = load_base(settings)
    base = copy.deepcopy(model.state_dict()) if settings.average_with_base else {}
    labels = label_matrix(split.train, settings)
    noisy_rows = noisy(split.train, settings)
    train_rows = _dataset(
        noisy_rows, teachers.targets(noisy_rows, labels, settings), settings, tokenizer
    )
    validation = split.validation
    by_length = validation[settings.text_column].str.len().argsort(kind="stable")
    validation = validation.iloc[by_length]
    validation_rows = _dataset(validation, label_matrix(validation, settings), settings, tokenizer)

    arguments = _arguments(settings, run_folder, len(train_rows), resume)
    loss = LabelLoss(settings, labels).to(arguments.device)
    trainer = CommentTrainer(
        SimilarLengthSampler(train_rows.lengths, settings.batch_size, settings.seed),
        parameter_groups(model, settings),
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
    trainer.add_callback(MovedCallback())
    trainer.add_callback(CurvesCallback(run_folder, settings.best_by))
    trainer.add_callback(ProgressCallback(run_folder))
    if settings.patience:
        trainer.add_callback(PatienceCallback(settings.patience))
    if trainer.is_world_process_zero():
        record.add(run_folder, bf16=arguments.bf16)
    checkpoint = last_whole_checkpoint(run_folder / "checkpoints") if resume else None
    started = time.monotonic()
    with _sentences(trainer, run_folder, checkpoint):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
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
        **({"resumed_from": checkpoint.name} if checkpoint else {}),
    }


@contextlib.contextmanager
def _sentences(trainer: Trainer, run_folder: Path, checkpoint: Path | None) -> Iterator[None]:
    """Turn what can befall a training, and a user can mend, into a sentence on its own line."""
    try:
        yield
    except (OSError, SafetensorError, RuntimeError, ValueError, KeyError) as error:
        cause = getattr(error, "strerror", None) or " ".join(str(error).split())[:160]
        if checkpoint and ("size mismatch" in str(error) or "state dict" in str(error)):
            raise ModelError(
                f"{checkpoint}: a checkpoint of another model; start again with --clear."
            ) from None
        # The last is what torch says, as a RuntimeError, when it cannot write.
        if isinstance(error, OSError | SafetensorError) or "PytorchStreamWriter" in cause:
            raise ModelError(
                f"{run_folder}: the run cannot be written there ({cause}); make room, then go on "
                "with --resume."
            ) from error
        raise
    finally:
        for callback in trainer.callback_handler.callbacks:
            for name in ("prediction_bar", "training_bar"):
                if bar := getattr(callback, name, None):
                    bar.close()


def load_base(settings: Settings) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """Load the tokenizer, and the encoder with a fresh head, that settings.base_model names."""
    where = base_folder(settings.base_model)
    try:
        config = AutoConfig.from_pretrained(where)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{settings.base_model}: neither a model folder here nor a Hub model that can be "
            f"reached ({' '.join(str(error).splitlines()[:1])[:160]})."
        ) from None
    longest = getattr(config, "max_position_embeddings", None)
    if longest and config.model_type in ROBERTA_LIKE:
        longest -= 2  # their positions are counted from 2
    if longest and settings.max_length > longest:
        raise SettingsError(
            f"max_length is {settings.max_length}, but {settings.base_model} reads at most "
            f"{longest} tokens."
        )
    if settings.average_with_base and list(config.id2label.values()) != settings.labels:
        raise SettingsError(
            f"average_with_base is set, but {settings.base_model} does not score the labels "
            f"{', '.join(settings.labels)}, in this order; leave it out, or name such a base."
        )
    for setting, names in {
        "dropout": ("hidden_dropout_prob", "dropout"),
        "attention_dropout": ("attention_probs_dropout_prob", "attention_dropout"),
    }.items():
        for name in names:
            if hasattr(config, name):
                setattr(config, name, getattr(settings, setting))
    config.id2label = dict(enumerate(settings.labels))
    config.label2id = {label: place for place, label in enumerate(settings.labels)}
    config.problem_type = (
        "single_label_classification" if settings.single_label else "multi_label_classification"
    )
    torch.manual_seed(settings.seed)  # the fresh head
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(where)
        model = AutoModelForSequenceClassification.from_pretrained(
            where,
            config=config,
            dtype=torch.float32,
            # Measured on two AVX-512 cores at 64 tokens: eager 82 examples/s, sdpa 76.
            attn_implementation="eager",
            ignore_mismatched_sizes=True,  # a base with a head of another size gets a fresh one
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"{settings.base_model}: cannot be loaded for classification "
            f"({' '.join(str(error).split())[:160]})."
        ) from None
    if tokenizer.pad_token_id is None:
        raise ModelError(
            f"{settings.base_model}: has no token for padding, as models that write have none; "
            "name an encoder, such as bert-base-uncased."
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
    """Give share × base + (1 - share) × trained, weight by weight (WiSE-FT, Wortsman et al. 2022).

    base, trained: state dicts with the same names and shapes. Numbers that are no weights, such as
    places, stay the trained model's.
    """
    return {
        name: torch.lerp(weight, base[name].to(weight), share)
        if weight.is_floating_point()
        else weight
        for name, weight in trained.items()
    }


def folding_tokenizer(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """Give the same tokenizer with fold_lookalikes before it.

    As one of no particular class: transformers builds those of a class, such as BertTokenizer,
    anew from the vocabulary when it loads them, without what was put into their steps.
    """
    fold_lookalikes(tokenizer.backend_tokenizer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer,
        model_max_length=tokenizer.model_max_length,
        model_input_names=tokenizer.model_input_names,
        **tokenizer.special_tokens_map,
    )


def torch_logits(folder: Path, texts: list[str], max_length: int) -> np.ndarray:
    """Score the first max_length tokens of texts by a trained folder in fp32: (texts × labels)."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    rows = CommentDataset(texts, np.zeros(len(texts)), tokenizer, max_length)
    order = np.argsort(rows.lengths, kind="stable")
    collate = Collator(tokenizer.pad_token_id or 0)
    logits = np.empty((len(texts), model.config.num_labels), dtype=np.float32)
    with torch.inference_mode():
        for part in np.array_split(order, math.ceil(len(order) / 32)):
            batch = collate([rows[place] for place in part])
            del batch["labels"]
            logits[part] = model(**batch).logits.numpy()
    return logits


def base_folder(name: str) -> str:
    """Resolve package:NAME/FOLDER to the folder in the installed package; other names stay."""
    if not name.startswith("package:"):
        return name
    package, _, inside = name.removeprefix("package:").partition("/")
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(
            f"{name}: no installed Python package {package}; run make install, or name another "
            "--base-model."
        )
    return str(Path(spec.submodule_search_locations[0]) / inside)


def encoder_layers(model: PreTrainedModel) -> list[nn.Module]:
    """Give the encoder's layers, first to last, whatever the architecture calls them."""
    for module in model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == model.config.num_hidden_layers:
            return list(module)
    return []


def freeze(model: PreTrainedModel, trainable_layers: int) -> None:
    """Leave only the head and the last layers of the encoder trainable."""
    for parameter in model.base_model.parameters():
        parameter.requires_grad = False
    layers = encoder_layers(model)
    for layer in layers[max(0, len(layers) - trainable_layers) :]:
        for parameter in layer.parameters():
            parameter.requires_grad = True


class LabelLoss(nn.Module):
    """Binary cross-entropy over the known labels, or cross-entropy over the classes.

    Summed, then divided by the number of known labels in the whole batch, over all processes and
    accumulated parts: so the gradient does not depend on how a batch is shared out. pos_weight is
    the square root of negatives per positive when settings.label_weighting asks for it.

    settings.logit_matching × the squared distance of logits (Ba and Caruana 2014) is added where
    teachers had a say, that is, where a target is neither 0 nor 1. Cross-entropy alone hardly tells
    a score of 0.001 from one of 0.01, which matters to the order of comments.
    """

    TAUGHT_AT_LEAST = 1e-4  # beyond, a teacher's logit is that of this score

    def __init__(self, settings: Settings, targets: np.ndarray):
        """targets: the training rows' (rows × labels), NaN for unknown."""
        super().__init__()
        self.single_label = settings.single_label
        self.logit_matching = settings.logit_matching
        weight = None
        if settings.label_weighting:
            positives, negatives = (targets == 1).sum(axis=0), (targets == 0).sum(axis=0)
            weight = torch.tensor(np.sqrt(negatives / positives), dtype=torch.float32)
        self.pos_weight: torch.Tensor | None
        self.register_buffer("pos_weight", weight)

    def forward(self, outputs, labels: torch.Tensor, num_items_in_batch=None) -> torch.Tensor:
        """outputs.logits: (comments × labels); labels: as CommentDataset gives them."""
        logits = outputs.logits.float()
        if self.single_label:
            weight = self.pos_weight
            total = nn.functional.cross_entropy(logits, labels, weight=weight, reduction="sum")
            known = torch.tensor(len(labels))
        else:
            is_known = labels != UNKNOWN
            each = nn.functional.binary_cross_entropy_with_logits(
                logits, labels.clamp(min=0), pos_weight=self.pos_weight, reduction="none"
            )
            if self.logit_matching:
                taught = (labels > 0) & (labels < 1)
                distance = logits - torch.logit(labels, eps=self.TAUGHT_AT_LEAST)
                each = each + self.logit_matching * torch.where(taught, distance.square(), 0)
            total, known = (each * is_known).sum(), is_known.sum()
        return total / (num_items_in_batch if num_items_in_batch is not None else known)


class CommentTrainer(Trainer):
    """The Trainer with our batch order and a learning rate a layer."""

    def __init__(
        self, sampler: SimilarLengthSampler, parameter_groups: list[dict], **rest: Any
    ) -> None:
        """parameter_groups: as AdamW takes them."""
        self.sampler, self.parameter_groups = sampler, parameter_groups
        super().__init__(**rest)
        self.add_callback(EpochCallback(sampler))

    def _get_train_sampler(self, train_dataset=None) -> SimilarLengthSampler:
        return self.sampler

    def create_optimizer(self, model=None) -> torch.optim.Optimizer:
        """Give each group of parameters its own learning rate."""
        if self.optimizer is None:
            self.optimizer = torch.optim.AdamW(self.parameter_groups, fused=True)
        return self.optimizer


def parameter_groups(model: PreTrainedModel, settings: Settings) -> list[dict]:
    """Give AdamW its parameters with a learning rate each.

    The head has head_learning_rate; the encoder's last layer learning_rate; each layer further
    down, and last the embeddings, layer_decay times the one above. Biases and norms don't decay.
    """
    layers = encoder_layers(model)
    depth = {id(p): len(layers) - i for i, layer in enumerate(layers) for p in layer.parameters()}
    encoder = {id(p) for p in model.base_model.parameters()}
    groups: dict[tuple[float, float], dict] = {}
    for parameter in model.parameters():
        if not parameter.requires_grad:
            continue
        if id(parameter) in encoder:
            steps_down = depth.get(id(parameter), len(layers) + 1) - 1
            rate = settings.learning_rate * settings.layer_decay**steps_down
        else:
            rate = settings.head_learning_rate or settings.learning_rate
        decay = settings.weight_decay if parameter.ndim > 1 else 0.0
        group = groups.setdefault((rate, decay), {"params": [], "lr": rate, "weight_decay": decay})
        group["params"].append(parameter)
    return list(groups.values())


class EpochCallback(TrainerCallback):
    """Tells the sampler the epoch, also after a resume (the Trainer's own call misses it then)."""

    def __init__(self, sampler: SimilarLengthSampler):
        self.sampler = sampler

    def on_epoch_begin(self, args, state, control, **_):
        """Count whole epochs in optimizer steps."""
        self.sampler.epoch = state.global_step * self.sampler.batch_size // len(self.sampler)


class LastStepCallback(TrainerCallback):
    """Validates and saves at the last step, wherever the interval falls."""

    def on_step_end(self, args, state, control, **_):
        """Ask for both at max_steps."""
        if state.global_step >= state.max_steps:
            control.should_evaluate = control.should_save = control.should_log = True


class MovedCallback(TrainerCallback):
    """Finds the best checkpoint in the run's folder of today: the state has it by its old path."""

    def on_train_begin(self, args, state, control, **_):
        """Keep the checkpoint's name only."""
        if state.best_model_checkpoint:
            name = Path(state.best_model_checkpoint).name
            state.best_model_checkpoint = str(Path(args.output_dir) / name)


class PatienceCallback(TrainerCallback):
    """Stops after so many validations without a better one.

    Counted in the log, which is part of each checkpoint: after a resume transformers' own
    EarlyStoppingCallback counts anew, and the run ends with other weights than an unbroken one.
    """

    def __init__(self, patience: int):
        self.patience = patience

    def on_train_begin(self, args, state, control, **_):
        """Stop a run anew that was interrupted after its end."""
        self.on_evaluate(args, state, control)

    def on_evaluate(self, args, state, control, **_):
        """Count the validations since the best."""
        figure = args.metric_for_best_model
        course = [entry[figure] for entry in state.log_history if figure in entry]
        if course:
            best = max(course) if args.greater_is_better else min(course)
            if len(course) - 1 - course.index(best) >= self.patience:
                control.should_training_stop = True


class CurvesCallback(TrainerCallback):
    """Writes curves.jsonl and curves.png from the Trainer's log, whole at each entry.

    The log is part of each checkpoint, so a resumed run neither loses nor repeats an entry.
    """

    def __init__(self, run_folder: Path, best_by: str):
        self.run_folder, self.best_by = run_folder, best_by

    def on_log(self, args, state, control, **_):
        """Write the lines so far."""
        if state.is_world_process_zero:
            lines = "".join(json.dumps(entry) + "\n" for entry in state.log_history)
            write_whole(self.run_folder / "curves.jsonl", lines)

    def on_evaluate(self, args, state, control, **_):
        """Draw the picture so far."""
        if state.is_world_process_zero:
            draw_curves(state.log_history, self.best_by, self.run_folder / "curves.png")


def draw_curves(log: list[dict], best_by: str, path: Path) -> None:
    """Draw training and validation loss, and the figure that chooses the checkpoint, by epoch."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axis, name, key in (
        (left, "training", "loss"),
        (left, "validation", "eval_loss"),
        (right, "validation", f"eval_{best_by}"),
    ):
        points = [(entry["epoch"], entry[key]) for entry in log if key in entry]
        axis.plot(*zip(*points, strict=True) if points else ([], []), label=name, marker=".")
    left.set(title="loss", xlabel="epoch", yscale="log")
    right.set(title=best_by.replace("_", " "), xlabel="epoch")
    left.legend()
    right.legend()
    figure.savefig(path, dpi=120)


def validation_metrics(prediction: EvalPrediction, settings: Settings) -> dict[str, float]:
    """Figures that choose the checkpoint; a label with one class only is left out of the means."""
    logits, targets = np.asarray(prediction.predictions), np.asarray(prediction.label_ids)
    if settings.single_label:
        targets_one_hot = np.eye(len(settings.labels))[targets]
        figures = {"accuracy": float(accuracy_score(targets, logits.argmax(axis=1)))}
        # One class against the rest needs scores that are comparable between comments.
        logits = torch.tensor(logits).softmax(dim=1).numpy()
    else:
        targets_one_hot, figures = targets, {}
    areas, precisions = [], []
    for scores, truth in zip(logits.T, targets_one_hot.T, strict=True):
        known = truth != UNKNOWN
        if len(np.unique(truth[known])) == 2:
            areas.append(roc_auc_score(truth[known], scores[known]))
            precisions.append(average_precision_score(truth[known], scores[known]))
    return figures | {
        "roc_auc_mean": float(np.mean(areas)),
        "average_precision_mean": float(np.mean(precisions)),
    }


def gains_by_bf16(device: torch.device) -> bool:
    """Try whether a matrix product of an encoder's size is at least 1.3 × as fast in bf16.

    Some CPUs have no bf16 unit and emulate it at a tenth of the speed.
    """
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        left = torch.randn(1024, 768, device=device).to(dtype)
        right = torch.randn(768, 3072, device=device).to(dtype)
        trials = []
        for _ in range(6):
            started = time.perf_counter()
            product = left @ right
            product[0, 0].item()  # waits for the device
            trials.append(time.perf_counter() - started)
        seconds[dtype] = min(trials[1:])
    return seconds[torch.bfloat16] * 1.3 < seconds[torch.float32]


def keep_freed_memory() -> None:
    """Let glibc keep large blocks for the next step instead of giving them back to the kernel.

    Activations of a batch are tens of megabytes, which glibc maps and unmaps each time; the page
    faults took a fifth of a step (measured on MiniLM, 32 comments a step: 36 → 47 examples/s on
    two busy cores). No effect with another libc.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_THRESHOLD, 2**30)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def last_whole_checkpoint(folder: Path) -> Path | None:
    """Find the last checkpoint that was written to its end; remove pieces of later ones.

    The Trainer writes trainer_state.json last, so a checkpoint with one that parses is whole.
    """
    by_step = sorted(
        folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]), reverse=True
    )
    for checkpoint in by_step:
        try:
            json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
            return checkpoint
        except (OSError, ValueError):
            shutil.rmtree(checkpoint, ignore_errors=True)  # torchrun's other processes do so too
    return None


def noisy(rows: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Write settings.noise of the rows as people do to get past a filter, the same each time."""
    generator = np.random.default_rng(settings.seed)
    changed = generator.random(len(rows)) < settings.noise
    texts = rows[settings.text_column].to_list()
    for place in np.flatnonzero(changed):
        texts[place] = add_noise(texts[place], generator)
    return rows.assign(**{settings.text_column: texts})


def _dataset(rows, targets: np.ndarray, settings: Settings, tokenizer) -> CommentDataset:
    if settings.single_label:
        targets = targets.argmax(axis=1)
    return CommentDataset(
        rows[settings.text_column].tolist(), targets, tokenizer, settings.max_length
    )


def _arguments(settings: Settings, run_folder: Path, rows: int, resume: bool) -> TrainingArguments:
    """Translate the settings into the Trainer's words."""
    if rows < settings.batch_size:
        raise DataError(
            f"{settings.train_data}: {rows} training rows are fewer than one batch; "
            f"set --batch-size to {rows} or less."
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    steps_per_epoch = rows // settings.batch_size
    interval = max(1, steps_per_epoch // settings.evaluations_per_epoch)
    if settings.max_steps:
        interval = min(interval, settings.max_steps)
    bf16 = settings.precision == "bf16"
    if settings.precision == "auto":
        tried = record.load(run_folder).get("bf16") if resume else None
        bf16 = gains_by_bf16(device) if tried is None else tried  # half a run in each helps nobody
    arguments = TrainingArguments(
        output_dir=str(run_folder / "checkpoints"),
        use_cpu=device.type == "cpu",
        bf16=bf16,
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
        save_total_limit=1,
        logging_steps=max(1, min(50, interval // 5)),
        load_best_model_at_end=True,
        metric_for_best_model=f"eval_{settings.best_by}",
        greater_is_better=settings.best_by != "loss",
        remove_unused_columns=False,
        dataloader_pin_memory=device.type == "cuda",
        ddp_find_unused_parameters=False,
        seed=settings.seed,
        report_to="none",
    )
    shares = arguments.world_size * settings.accumulate
    if settings.batch_size % shares:
        raise SettingsError(
            f"batch_size is {settings.batch_size}, which {arguments.world_size} process(es) with "
            f"accumulate {settings.accumulate} can't share evenly; use a multiple of {shares}."
        )
    arguments.per_device_train_batch_size = settings.batch_size // shares
    return arguments
