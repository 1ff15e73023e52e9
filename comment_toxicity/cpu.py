"""How much of the machine this process may use."""

import math
import os
from pathlib import Path

CPU_MAX = Path("/sys/fs/cgroup/cpu.max")  # Linux control groups v2, in a container


def cores(quota: Path = CPU_MAX) -> int:
    """The number of cores that this process may use, at least 1.

    A container with `--cpus 2`, or a Space, sees all of its host's cores, but may use only a
    share of their time: a thread per core would spend it at once, and then all would stall.

    quota: a file with the microseconds that may be used of each period, or max, and the period.
    """
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    try:
        share, period = quota.read_text().split()
        return max(1, min(count, math.ceil(int(share) / int(period))))
    except (OSError, ValueError, ZeroDivisionError):  # not Linux, an older kernel, or max
        return count


def keep_torch_to_cores() -> None:
    """Keep torch from starting more threads than cores; by default it counts the host's."""
    import torch

    torch.set_num_threads(min(torch.get_num_threads(), cores()))
