"""The machine: half precision if it is faster, memory that is kept, processes that agree."""

import contextlib
import ctypes
import time

import torch
from transformers import TrainingArguments

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h


PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def half_precision(device: torch.device) -> str:
    """The half precision to train in: fp16 on a GPU that only emulates bf16, such as a T4."""
    return "fp16" if device.type == "cuda" and not torch.cuda.is_bf16_supported(False) else "bf16"


def is_faster_in(precision: str, device: torch.device) -> bool:
    """Whether a matrix product of an encoder's size is at least 1.3 × as fast in it, by trial.

    Some CPUs have no bf16 unit and emulate it at a tenth of the speed. Older Macs lack it.
    """
    seconds = {}
    for dtype in (torch.float32, PRECISIONS[precision]):
        trials = []
        try:
            left = torch.randn(1024, 768, device=device).to(dtype)
            right = torch.randn(768, 3072, device=device).to(dtype)
            for _ in range(6):
                started = time.perf_counter()
                product = left @ right
                product[0, 0].item()  # waits for the device
                trials.append(time.perf_counter() - started)
        except (RuntimeError, TypeError):
            return False
        seconds[dtype] = min(trials[1:])
    return seconds[PRECISIONS[precision]] * 1.3 < seconds[torch.float32]


def of_first_process(answer: bool, arguments: TrainingArguments) -> bool:
    """Return the first process's answer in all of torchrun's; their clocks and trials differ."""
    if arguments.world_size == 1:
        return answer
    answers = torch.tensor(int(answer), device=arguments.device)
    torch.distributed.broadcast(answers, src=0)
    return bool(answers)


def keep_freed_memory() -> None:
    """Make glibc keep large blocks for the next step instead of returning them to the kernel.

    Activations of a batch are tens of megabytes, which glibc maps and unmaps each time; the page
    faults took a fifth of a step (measured on MiniLM, 32 comments a step: 36 → 47 examples/s on
    two busy cores). No effect with another libc.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_THRESHOLD, 2**30)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
