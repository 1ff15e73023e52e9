"""Throughput of one and of several workers, side by side: `score --shard` as processes, and Ray.

    python benchmarks/scale.py --workers 1 2

Each worker has one thread, and the same number of comments to score: n workers score n times as
many. Perfect scaling is n times the rate of one. Rounds of all numbers of workers alternate, and
the median counts. --ray adds a local Ray cluster with as many CPUs as workers; starting it, and
loading the model in each process, is in its time.
"""

import argparse
import csv
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from common import ROOT, count, flags_of, print_table, read_comments, run

FILES_PER_WORKER = 4


def main() -> int:
    """Measure, and print the table."""
    parser = flags_of(__doc__)
    parser.add_argument("--model", default="toxic-minilm", help="ours (%(default)s)")
    parser.add_argument(
        "--comments", type=count, default=4000, help="comments for each worker (%(default)s)"
    )
    parser.add_argument(
        "--workers", type=count, nargs="+", default=[1, 2], help="their numbers (1 2)"
    )
    parser.add_argument("--rounds", type=count, default=3, help="of each (%(default)s)")
    parser.add_argument("--ray", action="store_true", help="measure Ray, too (default: no)")
    return run(parser, measure)


def measure(flags: argparse.Namespace) -> None:
    """Print comments/s for each number of workers, and as a multiple of the first."""
    comments = read_comments(flags.data, flags.text_column, flags.comments)
    texts = comments[flags.text_column].astype(str).tolist()
    ways = {"processes": processes} | ({"Ray": ray} if flags.ray else {})
    seconds: dict[tuple[str, int], list[float]] = {}
    with TemporaryDirectory() as folder:
        for workers in flags.workers:
            write_comments(Path(folder) / f"comments-{workers}", texts, workers, flags.comments)
        for number in range(flags.rounds):
            for workers in flags.workers:
                for name, way in ways.items():
                    output = Path(folder) / f"scored-{number}-{workers}-{name}"
                    started = perf_counter()
                    way(Path(folder) / f"comments-{workers}", output, flags.model, workers)
                    seconds.setdefault((name, workers), []).append(perf_counter() - started)
    rates = {
        (name, workers): workers * flags.comments / median(each)
        for (name, workers), each in seconds.items()
    }
    rows = [
        [name, workers, rate, rate / rates[name, flags.workers[0]]]
        for (name, workers), rate in rates.items()
    ]
    print_table(["", "workers", "comments/s", "times the first"], rows)


def write_comments(folder: Path, texts: list[str], workers: int, each: int) -> None:
    """Write each × workers comments, no two alike, as files that are equally large."""
    folder.mkdir()
    files = workers * FILES_PER_WORKER
    for file in range(files):
        with (folder / f"{file:04d}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["comment_text"])
            for row in range(file, each * workers, files):
                writer.writerow([f"{row} {texts[row % len(texts)]}"])


def processes(folder: Path, output: Path, model: str, workers: int) -> None:
    """Score the files in processes that share them out by name, and wait for the last."""
    files = sorted(folder.iterdir())
    shares = [files[worker::workers] for worker in range(workers)]
    started = [
        subprocess.Popen(
            [*command(model, output), *map(str, share)], cwd=ROOT, stderr=subprocess.DEVNULL
        )
        for share in shares
    ]
    codes = [process.wait() for process in started]
    if any(codes):
        sys.exit("error: a worker failed")


def ray(folder: Path, output: Path, model: str, workers: int) -> None:
    """Score the files on a Ray cluster of this machine, with a CPU for each worker."""
    words = [*command(model, output, workers), str(folder), "--ray"]
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    done = subprocess.run(words, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL, check=False)
    if done.returncode:
        sys.exit("error: Ray failed; is the extra `ray` installed?")


def command(model: str, output: Path, threads: int = 1) -> list[str]:
    """A worker's command, but for its files."""
    words = [sys.executable, "-m", "comment_toxicity", "score", "--model", model]
    return [*words, "--threads", str(threads), "--output", f"{output}/"]


if __name__ == "__main__":
    sys.exit(main())
