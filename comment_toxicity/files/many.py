"""Many files of comments → one scored file each, by any number of processes.

A finished file is whole, and says which model and which input it was made from: a Parquet file in
the metadata of its schema, others in _records/NAME.json beside it. So a run that was killed is
started again with the same command, and finished files are not scored again.
"""

import dataclasses
import hashlib
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from comment_toxicity.classifier import Classifier
from comment_toxicity.disk import write_json
from comment_toxicity.errors import DataError, ModelError, SettingsError
from comment_toxicity.files.folders import (
    S3,
    WILDCARD,
    Found,
    LocalFolder,
    S3Folder,
    expand,
    folder,
    split,
)
from comment_toxicity.files.read import READABLE, STANDARD_STREAM, file_format
from comment_toxicity.files.score import BusyError, progress_bar, score_file
from comment_toxicity.files.write import RECORD_KEY
from comment_toxicity.routing import Models, members

RECORDS = "_records"
BUSY_SECONDS = 30  # a process that was killed can hold its lock so long, on a network's file system
MOST_TOLD = 10  # problems that are printed as they occur; all are counted


@dataclass(frozen=True)
class Shard:
    """One of `count` parts of the files, counted from 0: those whose name's hash falls on it."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Read “3/64”. Raises SettingsError."""
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
        if not match or int(match[1]) >= int(match[2]):
            raise SettingsError(f"--shard {text}: write i/n, with i from 0 to n - 1, such as 0/64.")
        return cls(int(match[1]), int(match[2]))

    def holds(self, name: str) -> bool:
        """Whether a file is in it; the same on every machine."""
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number


@dataclass(frozen=True)
class Job:
    """A file to score, and where to."""

    source: LocalFolder | S3Folder
    found: Found
    output: LocalFolder | S3Folder
    name: str

    def __str__(self) -> str:
        return self.source.address(self.found.name)


@dataclass(frozen=True)
class Options:
    """text_column and encoding, as score_file() takes them."""

    text_column: str | None = None
    encoding: str | None = None


@dataclass(frozen=True)
class Done:
    """A file that is finished: its rows, those without scores, what a user should know.

    before: it was finished already; its rows are not counted.
    """

    rows: int = 0
    unscored: int = 0
    notes: tuple[str, ...] = ()
    before: bool = False


@dataclass
class Totals:
    """What a run has done so far."""

    files: int = 0
    before: int = 0
    rows: int = 0
    unscored: int = 0
    failed: list[str] = field(default_factory=list)
    notes: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        before = f" ({self.before} more were finished before)" if self.before else ""
        unscored = f", {self.unscored} of them without scores" if self.unscored else ""
        return f"{self.files} files{before}, {self.rows} rows{unscored}"

    def add(self, done: Done) -> None:
        """Count a finished file."""
        self.files += not done.before
        self.before += done.before
        self.rows += done.rows
        self.unscored += done.unscored


def is_many(inputs: Sequence[str], output: str) -> bool:
    """Whether these need this module: several files, or S3. Else score_file() does it."""
    [first, *others] = inputs
    return (
        bool(others)
        or first.startswith(S3)
        or output.startswith(S3)
        or Path(first).is_dir()
        or (WILDCARD.search(first) is not None and not Path(first).exists())
    )


def plan(
    inputs: Sequence[str], output: str, output_format: str | None = None, shard: Shard | None = None
) -> list[Job]:
    """The files to score, sorted by name; none where all are in other shards.

    inputs: files, folders, patterns; on this machine, or s3://. In folders and patterns, files of
        other endings than READABLE are left out, and so are names that begin with . or _.
    output: a folder, in which each file gets the name that it has in its own; where `inputs` is one
        file, also a file. output_format: of the outputs (default: that of each input).
    Raises DataError or SettingsError.
    """
    if STANDARD_STREAM in (*inputs, output):
        raise SettingsError("standard streams are scored alone: give files, or - and nothing else.")
    jobs = []
    single = len(inputs) == 1 and _is_file_name(output)
    for path in inputs:
        source, files = expand(path)
        literal = len(files) == 1 and source.address(files[0].name).rstrip("/") == path.rstrip("/")
        if single and literal:
            root, name = split(output)
            return [Job(source, files[0], folder(root), name)]
        if _is_file_name(output):
            raise SettingsError(f"{output}: a file, for several inputs; name a folder instead.")
        target = folder(output)
        # Else the next run would take the outputs for inputs.
        deep = not literal and ("**" in path or not WILDCARD.search(path))
        if deep and f"{_full(target.root)}/".startswith(f"{_full(source.root)}/"):
            raise SettingsError(f"{output}: is in the input {source.root}; name another --output.")
        for each in files:
            if literal or _ending(each.name) in READABLE:
                jobs.append(Job(source, each, target, _output_name(each.name, output_format)))
    if not jobs:
        raise DataError(
            f"{', '.join(inputs)}: no file of comments; their endings are "
            f"{', '.join(f'.{ending}' for ending in READABLE)}, also with .gz."
        )
    name, times = Counter(job.name for job in jobs).most_common(1)[0]
    if times > 1:
        same = [str(job) for job in jobs if job.name == name]
        raise DataError(
            f"{same[0]} and {same[1]} would both be {name} in the output; rename one, or score "
            "them apart."
        )
    taken = {_full(str(job)) for job in jobs}.intersection(
        _full(job.output.address(job.name)) for job in jobs
    )
    if taken:
        raise SettingsError(f"{min(taken)}: is an input and an output; name another --output.")
    return sorted((j for j in jobs if not shard or shard.holds(j.name)), key=lambda job: job.name)


def _full(root: str) -> str:
    return root if root.startswith(S3) else str(Path(root).resolve())


def _is_file_name(path: str) -> bool:
    if path.endswith("/") or Path(path).is_dir():
        return False
    try:
        return bool(file_format(path, "csv"))
    except DataError:
        return False


def _ending(name: str) -> str:
    return PurePosixPath(name.lower().removesuffix(".gz")).suffix[1:]


def _output_name(name: str, output_format: str | None) -> str:
    """The same, with the ending of its format: notes.tsv.gz → notes.csv.gz."""
    ending = _ending(name)
    known = output_format or READABLE.get(ending, ending)
    if known == ending:
        return name
    packed = ".gz" if name.lower().endswith(".gz") else ""
    stem = name[: len(name) - len(packed) - len(ending)]
    return f"{stem}{known}{packed if known != 'parquet' else ''}"


def run(
    classifier: Classifier | Models,
    jobs: Sequence[Job],
    options: Options,
    tell: Callable[[str], object],
) -> Totals:
    """Score all files, one after the other. A file that cannot be scored does not stop the others.

    Raises ModelError, which would stop each of them.
    """
    totals = Totals()
    model = model_record(classifier)
    with progress_bar(unit=" rows") as bar:

        def told(sentence: str) -> None:
            bar.clear()
            tell(sentence)

        for number, job in enumerate(jobs):
            bar.set_description(f"{number}/{len(jobs)} files")
            try:
                report(job, score_job(classifier, model, job, options, bar), totals, told)
            except ModelError:
                raise
            except (DataError, OSError) as error:
                report(job, error, totals, told)
        bar.set_description(f"{len(jobs)}/{len(jobs)} files")
    return totals


def report(job: Job, outcome: Done | Exception, totals: Totals, tell: Callable[[str], Any]) -> None:
    """Count what came of a file, and tell the user what there is to know: each note once."""
    if isinstance(outcome, Done):
        totals.add(outcome)
        for note in outcome.notes:
            if note not in totals.notes:
                tell(f"{job}: {note}")
        totals.notes.update(outcome.notes)
        return
    sentence = str(outcome) if str(job) in str(outcome) else f"{job}: {outcome}"
    totals.failed.append(sentence)
    if len(totals.failed) <= MOST_TOLD:
        tell(sentence)


def score_job(
    classifier: Classifier | Models,
    model: dict[str, Any],
    job: Job,
    options: Options,
    bar: Any = None,
) -> Done:
    """Score a file, unless its output is whole, and of this model and input.

    model: model_record() of the classifier. Where another process works on the file, that one is
    waited for. Raises DataError.
    """
    record = {
        "model": model,
        "input": dataclasses.asdict(job.found),
        "options": dataclasses.asdict(options),
    }
    for attempt in range(BUSY_SECONDS + 1):
        if is_done(job, record):
            return Done(before=True)
        try:
            return _scored(classifier, job, options, record, bar)
        except BusyError:
            if attempt == BUSY_SECONDS:
                raise
            time.sleep(1)
    raise AssertionError("the loop returns or raises")


def _scored(
    classifier: Classifier | Models, job: Job, options: Options, record: dict[str, Any], bar: Any
) -> Done:
    notes: list[str] = []
    with (
        job.output.workspace(job.name) as work,
        job.source.on_disk(job.found.name) as path,
    ):
        made = work / PurePosixPath(job.name).name
        try:
            summary = score_file(
                classifier,
                str(path),
                str(made),
                options.text_column,
                resume=True,
                restart=True,
                encoding=options.encoding,
                tell=notes.append,
                record=record,
                bar=bar,
            )
        except DataError as error:  # about the copy, which is gone when a user reads it
            error.args = (str(error).replace(str(path), str(job)),)
            raise
        size = made.stat().st_size
        job.output.put(made, job.name)
        if not _in_metadata(job.name):
            whole = record | {"output": {"bytes": size, "rows": summary.rows}}
            write_json(made.with_name(f"{made.name}.json"), whole)
            job.output.put(made.with_name(f"{made.name}.json"), _record_name(job.name))
    return Done(summary.rows, summary.unscored, tuple(notes))


def model_record(classifier: Classifier | Models) -> dict[str, Any]:
    """A model's name, hash, calibration and thresholds, as they are written into outputs.

    The name of a folder is without the folders above it, which differ between machines.
    """
    first, *others = members(classifier)
    name = first.name
    return {
        "name": Path(name).name if Path(name).is_dir() else name,
        "weights": first.folder.weights_hash(),
        "decision": dataclasses.asdict(first.decision),
        **({"others": list(map(model_record, others))} if others else {}),
    }


def is_done(job: Job, record: dict[str, Any]) -> bool:
    """Whether the output is there, whole, and of the same model, input and options.

    The model's name does not count.
    """
    try:
        if _in_metadata(job.name):
            found = _metadata(job)
        else:
            with job.output.open(_record_name(job.name)) as stream:
                found = json.loads(stream.read())
            output = job.output.find(job.name)
            if output is None or output.size != found["output"]["bytes"]:
                return False
        known = record | {"model": record["model"] | {"name": found["model"]["name"]}}
        return all(found[what] == known[what] for what in known)
    except (OSError, ValueError, KeyError, TypeError):  # missing, broken, or of another program
        return False


def _metadata(job: Job) -> Any:
    """The record in a Parquet file. Raises ValueError where it has none, or is not whole."""
    from pyarrow.parquet import ParquetFile

    with job.output.open(job.name) as stream, ParquetFile(stream) as file:
        return json.loads((file.schema_arrow.metadata or {}).get(RECORD_KEY, b"null"))


def _in_metadata(name: str) -> bool:
    return name.lower().endswith(".parquet")


def _record_name(name: str) -> str:
    path = PurePosixPath(name)
    return str(PurePosixPath(RECORDS) / path.parent / f"{path.name}.json")
