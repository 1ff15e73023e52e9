"""The steps of a training, in RUN/progress.json."""

import time
from pathlib import Path

from transformers import TrainerCallback

from finetune import progress

SECONDS = 1.0
"""At most one write in so long: steps can take milliseconds."""


class ProgressCallback(TrainerCallback):
    """Writes the number of steps done, and at the first step that of all."""

    def __init__(self, run_folder: Path):
        self.run_folder, self._next_write = run_folder, 0.0

    def on_train_begin(self, args, state, control, **_):
        """Write the total; a resumed run begins after 0."""
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
            progress.update(self.run_folder, step=state.global_step, steps=state.max_steps)
            self._next_write = time.monotonic() + SECONDS
