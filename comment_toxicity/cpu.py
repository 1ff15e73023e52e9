"""How much of the machine this process may use."""

import math
import os
from pathlib import Path

CPU_MAX = Path("/sys/fs/cgroup/cpu.max")  # Linux's control groups, version 2, within a container


def cores(quota: Path = CPU_MAX) -> int:
    """Count the cores that this process may use, at least 1.

    A container with `--cpus 2`, or a Space, sees all of its host's cores, and may use so much time
    of them in all: a thread a core would use it up at once, and then stand still with the others.

    quota: a file with the microseconds of a period that may be used, or max, and the period's.
    """
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    try:
        share, period = quota.read_text().split()
        return max(1, min(count, math.ceil(int(share) / int(period))))
    except (OSError, ValueError, ZeroDivisionError):  # not Linux, an older one, or max
        return count


def keep_torch_to_cores() -> None:
    """Let torch start no more threads than there are cores; by itself it goes by the host's."""
    import torch

    torch.set_num_threads(min(torch.get_num_threads(), cores()))
