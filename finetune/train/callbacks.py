"""What training does at steps and validations. Everything here also holds after a resume."""

import json
import math
import time
from pathlib import Path

from transformers import TrainerCallback

from comment_toxicity.disk import write_whole
from finetune import progress
from finetune.train.dataset import SimilarLengthSampler
from finetune.train.machine import of_first_process

PROGRESS_SECONDS = 1.0  # between two writes of progress.json: steps can take milliseconds
CHECKPOINT_SECONDS = 9 * 60.0  # a last step and the writing itself fit in the tenth minute


class EpochCallback(TrainerCallback):
    """Sets the sampler's epoch, also after a resume, when the Trainer's own call misses it."""

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


class TimedCheckpointCallback(TrainerCallback):
    """Saves when the last checkpoint is CHECKPOINT_SECONDS old, between validations too.

    Such a checkpoint changes no weights and no choice of the best: it is not validated, and the
    Trainer keeps it only until the next one is written. Before a validation, whose duration is not
    known, half of the time is enough.
    """

    def __init__(self):
        self.saved = 0.0

    def on_train_begin(self, args, state, control, **_):
        """Start the clock."""
        self.saved = time.monotonic()

    def on_save(self, args, state, control, **_):
        """Start the clock again."""
        self.saved = time.monotonic()

    def on_step_end(self, args, state, control, **_):
        """Ask for a checkpoint, and log, since the sum of the losses so far is not in it."""
        following = state.global_step + 1
        validates_next = following % state.eval_steps == 0 or following == state.max_steps
        limit = CHECKPOINT_SECONDS / 2 if validates_next else CHECKPOINT_SECONDS
        # Processes that do not save at the same step wait for each other forever.
        if of_first_process(time.monotonic() - self.saved >= limit, args):
            control.should_save = control.should_log = True


class MovedCallback(TrainerCallback):
    """Finds the best checkpoint of a run folder that was moved: the state has its old path."""

    def on_train_begin(self, args, state, control, **_):
        """Set the path in the state; the Trainer has dropped one that is no longer there."""
        best = Path(args.output_dir) / f"checkpoint-{state.best_global_step}"
        if best.is_dir():
            state.best_model_checkpoint = str(best)


class PatienceCallback(TrainerCallback):
    """Stops after this many validations without improvement.

    Counted in the log, which is part of each checkpoint: after a resume transformers' own
    EarlyStoppingCallback counts from 0 again, and the run ends with other weights than an
    uninterrupted one.
    """

    def __init__(self, patience: int):
        self.patience = patience

    def on_train_begin(self, args, state, control, **_):
        """Stop again a run that was interrupted when it had already stopped."""
        self.on_evaluate(args, state, control)

    def on_evaluate(self, args, state, control, **_):
        """Count the validations since the best."""
        metric = args.metric_for_best_model
        history = [entry[metric] for entry in state.log_history if metric in entry]
        if history:
            best = max(history) if args.greater_is_better else min(history)
            if len(history) - 1 - history.index(best) >= self.patience:
                control.should_training_stop = True


class ProgressCallback(TrainerCallback):
    """Writes RUN/progress.json: steps, epochs, and the seconds left."""

    def __init__(self, run_folder: Path):
        self.run_folder, self._next_write = run_folder, 0.0
        self._first_step, self._began = 0, 0.0

    def on_train_begin(self, args, state, control, **_):
        """Write the total and start the clock; a resumed run begins after 0."""
        self._first_step, self._began = state.global_step, time.monotonic()
        self._write(state)

    def on_step_end(self, args, state, control, **_):
        """Write the step, unless the last write was just now."""
        if time.monotonic() >= self._next_write:
            self._write(state)

    def on_train_end(self, args, state, control, **_):
        """Write the last step."""
        self._write(state)

    def _write(self, state):
        if state.is_world_process_zero:
            epochs = state.num_train_epochs
            progress.update(
                self.run_folder,
                step=state.global_step,
                steps=state.max_steps,
                # An epoch of 1.0 is the end of the first; the Trainer's sum is off by a rounding.
                epoch=min(epochs, max(1, math.ceil((state.epoch or 0) - 1e-6))),
                epochs=epochs,
                seconds_left=self._seconds_left(state),
            )
            self._next_write = time.monotonic() + PROGRESS_SECONDS

    def _seconds_left(self, state):
        """By the mean duration of the steps so far, validations and checkpoints included."""
        done = state.global_step - self._first_step
        if not done:
            return None
        seconds = (time.monotonic() - self._began) / done
        return round(seconds * (state.max_steps - state.global_step), 1)


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
        """Draw the curves so far."""
        if state.is_world_process_zero:
            draw_training_curves(state.log_history, self.best_by, self.run_folder / "curves.png")


def draw_training_curves(log: list[dict], best_by: str, path: Path) -> None:
    """Plot training and validation loss, and the metric that chooses the checkpoint, by epoch."""
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
