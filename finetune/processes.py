"""The processes of one run under torchrun: the first does all the work, the others train with it.

So rows are read, and scored by the teachers, once. The others wait until the first begins to train,
and end if it fails before that. They hear of both by the store through which torch's processes find
each other.
"""

import contextlib
import functools
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from comment_toxicity.errors import UserError

KEY = "finetune/first"
TRAINS, FAILED = b"trains", b"failed"
LONGEST_START = timedelta(minutes=10)  # of the slowest process; not of the work of the first
POLL_SECONDS = 0.2


def is_first_process() -> bool:
    """Whether this process does what only one may do; true without torchrun."""
    return os.environ.get("RANK", "0") == "0"


def let_others_train() -> None:
    """In the first process: what the others wait for is done."""
    if _others():
        _store().set(KEY, TRAINS)


@contextlib.contextmanager
def failure_ends_others() -> Iterator[None]:
    """In the first process: tell the others when this work fails, which they would wait for."""
    try:
        yield
    except BaseException:
        if _others():
            with contextlib.suppress(RuntimeError):  # no store, nobody who waits at it
                _store().set(KEY, FAILED)
        raise


def wait_for_first() -> None:
    """In the others: return when the first process begins to train. UserError when it has failed.

    However long its work takes: only a first process that is gone ends the wait.
    """
    try:
        while not _store().check([KEY]):
            time.sleep(POLL_SECONDS)
        answer = _store().get(KEY)
    except RuntimeError:  # the store goes with the process that holds it
        answer = FAILED
    if answer != TRAINS:
        raise UserError("the first process of this run has failed; its message says why.")


def _others() -> bool:
    return "MASTER_ADDR" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


@functools.cache
def _store() -> Any:
    from torch.distributed import rendezvous

    store, _, _ = next(rendezvous("env://", timeout=LONGEST_START))
    return store
