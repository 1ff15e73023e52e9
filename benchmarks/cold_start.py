"""From a new process to its first score: seconds and memory, ours beside transformers' pipeline.

    python benchmarks/cold_start.py

Each round starts a new Python for each. The files are in the page cache, as after a first start;
memory is the process's peak (resident set).
"""

import argparse
import os
import subprocess
import sys
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from common import ROOT, count, print_table, save_bert_base

OURS = """
from comment_toxicity import load_classifier
scores = load_classifier({model!r}).score([{text!r}])
"""
PIPELINE = """
from transformers import pipeline
scores = pipeline("text-classification", {model!r}, top_k=None)([{text!r}])
"""
# After the first score. On Linux, ru_maxrss would start from the parent's memory; VmHWM does not.
REPORT_MEMORY = """
import pathlib, resource
status = pathlib.Path("/proc/self/status")
if status.exists():
    print(int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024)
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # macOS: bytes
"""
TEXT = "Thank you for the kind words, and for your help with this article."


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=count, default=7, help="starts of each (%(default)s)")
    parser.add_argument("--model", default="toxic-minilm", help="ours (%(default)s)")
    flags = parser.parse_args()
    with TemporaryDirectory() as bert_base:
        save_bert_base(bert_base)
        ways = {
            "ours": OURS.format(model=flags.model, text=TEXT),
            "transformers pipeline, bert-base": PIPELINE.format(model=bert_base, text=TEXT),
        }
        measured: dict[str, list[tuple[float, int]]] = {name: [] for name in ways}
        for _ in range(flags.rounds + 1):
            for name, code in ways.items():
                measured[name].append(start(code))
    print_table(
        ["", "new process to first score, s", "memory, MB"],
        [
            [name, median(seconds for seconds, _ in runs), max(peak for _, peak in runs) / 1e6]
            for name, (_first, *runs) in measured.items()  # the first one fills the page cache
        ],
    )
    return 0


def start(code: str) -> tuple[float, int]:
    """Run code in a new Python. Returns the seconds to its end and its peak memory in bytes."""
    started = perf_counter()
    process = subprocess.run(
        [sys.executable, "-c", code + REPORT_MEMORY],
        cwd=ROOT,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = perf_counter() - started
    if process.returncode:
        sys.exit(f"error: {process.stderr.strip().splitlines()[-1]}")
    return seconds, int(process.stdout.split()[-1])


if __name__ == "__main__":
    sys.exit(main())
