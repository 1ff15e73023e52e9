"""How much of the machine this process may use, and which device torch takes."""

import math
import os
from pathlib import Path

from comment_toxicity.errors import ModelError, SettingsError

CPU_MAX = Path("/sys/fs/cgroup/cpu.max")  # Linux control groups v2, in a container
CPU_INFO = Path("/proc/cpuinfo")
VNNI = {"avx512_vnni", "avx_vnni"}  # as Linux names them


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


def has_vnni(info: Path = CPU_INFO) -> bool:
    """Whether an x86 CPU sums int8 products without overflow; False where that is not known.

    info: a file in which Linux lists the features of each CPU.
    """
    try:
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return False
    flags = [line.partition(":")[2].split() for line in lines if line.startswith("flags")]
    return bool(flags) and all(VNNI & set(names) for names in flags)


def checked_threads(threads: int | None) -> int:
    """The number of threads to use; None is one per core. SettingsError below 1."""
    if threads is not None and threads < 1:
        raise SettingsError(f"threads is {threads}; give at least 1.")
    return threads or cores()


def keep_torch_to_cores(threads: int | None = None) -> None:
    """Keep torch to so many threads, at most one per core; by default it counts the host's.

    The whole process has one such number.
    """
    import torch

    allowed = torch.get_num_threads() if threads is None else threads
    torch.set_num_threads(min(allowed, cores()))


def torch_device(name: str) -> str:
    """The device of a torch model: "cpu", "cuda" or "mps"; "auto" takes the fastest that is there.

    Raises ModelError for one that torch does not find.
    """
    import torch

    found = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return next(device for device, there in found.items() if there)
    if not found[name]:
        raise ModelError(
            f"device {name}: torch {torch.__version__} finds none here; use cpu or auto."
        )
    return name
