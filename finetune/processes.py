"""The processes of one run under torchrun: the first does all the work, the others train with it.

So rows are read, and scored by the teachers, once. The others wait until the first begins to train,
and end if it fails before that. They learn of both through the store by which torch's processes
find each other.
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
LONGEST_START = timedelta(minutes=10)  # for the slowest process to start, not for any work
POLL_SECONDS = 0.2


def is_first_process() -> bool:
    """Whether this is the process that does all the work; true without torchrun."""
    return os.environ.get("RANK", "0") == "0"


def let_others_train() -> None:
    """In the first process: let the others begin to train with it."""
    if _others():
        _store().set(KEY, TRAINS)


@contextlib.contextmanager
def failure_ends_others() -> Iterator[None]:
    """In the first process: end the others, which wait for this work, when it fails."""
    try:
        yield
    except BaseException:
        if _others():
            with contextlib.suppress(RuntimeError):  # no store, so nobody waits
                _store().set(KEY, FAILED)
        raise


def wait_for_first() -> None:
    """In the others: return when the first process begins to train. UserError when it has failed.

    There is no time limit, but the wait ends when the first process is gone.
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
