"""A file of comments → the same file with scores: in constant memory, whole or not at all.

Scored chunks go to OUTPUT.part/, each written atomically; when all are there they are joined into
OUTPUT. So an interrupted run leaves no half-written OUTPUT, and --resume continues after the last
whole chunk. OUTPUT.part/ holds

    job.json               what is scored with what, to be compared on --resume
    00000000.jsonl, …      the chunks; .parquet where input and OUTPUT are
"""

import dataclasses
import gzip
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comment_toxicity.classifier import MOST_TOKENS, Classifier
from comment_toxicity.decision import Weights
from comment_toxicity.disk import files_in, kept_for_this_process, read_json, write_json
from comment_toxicity.errors import DataError, SettingsError
from comment_toxicity.files.read import (
    CHUNK_ROWS,
    STANDARD_STREAM,
    Chunk,
    ParquetInput,
    file_format,
    open_input,
    parquet_package,
    with_column,
)
from comment_toxicity.files.text_column import choose, guessed_column
from comment_toxicity.files.write import (
    Output,
    RowOutput,
    Summary,
    TableOutput,
    standard_output,
)
from comment_toxicity.routing import Models, members

FLAG_SEPARATOR = ";"  # not a space, which labels of other models can contain
# Between two calls of on_rows. A large model takes seconds for so many texts or characters.
WATCHED_ROWS, WATCHED_CHARACTERS = 50, 20_000
WATCHED_SECONDS = 1.0
# Characters that are fewer than MOST_TOKENS, however they expand: the worst ligature stands for 18
# letters, of two bytes each.
NEVER_CUT = MOST_TOKENS // 40


class BusyError(DataError):
    """Another process is working on the output."""


def score_file(
    classifier: Classifier | Models,
    source: str,
    output: str,
    text_column: str | None = None,
    stream_format: str = "csv",
    resume: bool = False,
    on_rows: Callable[[int], None] | None = None,
    encoding: str | None = None,
    tell: Callable[[str], object] = lambda sentence: None,
    restart: bool = False,
    record: dict[str, Any] | None = None,
    bar: Any = None,
) -> Summary:
    """Score the comments of `source`; write its rows and columns, and the scores, to `output`.

    source, output: paths whose endings give the format, or "-" for a standard stream, which is
    in `stream_format`. text_column: None takes comment_text or text, or else guesses.
    on_rows: called every few rows with the number of rows scored so far, in place of the
    progress bar, and with the same number each second of a long row; what it raises ends the run
    like an interruption.
    encoding: of `source`, if it is neither UTF-8 nor UTF-16.
    tell: called with each sentence that a user should know, such as the column that was guessed.
    restart: with `resume`, start over where the interrupted run had another input or model.
    record: of input and model, for a resumed run to compare, and for the metadata of Parquet.
    bar: a progress bar to move, in place of one for this file.
    Raises DataError or SettingsError, with `output` untouched.
    """
    output_format = file_format(output, stream_format)
    if output == STANDARD_STREAM and output_format == "parquet":
        raise SettingsError("Parquet cannot be written to standard output; give a file.")
    if output_format == "parquet":
        with parquet_package():  # before anything is read
            import pyarrow  # noqa: F401
    if resume and STANDARD_STREAM in (source, output):
        raise SettingsError(
            "--resume needs files: a standard stream cannot be read or written twice."
        )
    if source != STANDARD_STREAM and Path(source).resolve() == Path(output).resolve():
        raise SettingsError(f"{output}: is the input too; name another --output.")
    if Path(output).is_dir():
        raise SettingsError(f"{output}: is a folder; name a file for --output.")
    labels = classifier.labels
    with open_input(source, stream_format, encoding) as rows:
        column, guessed = choose(rows, source, text_column, encoding)
        if guessed:
            tell(guessed_column(column))
        both_parquet = output_format == "parquet" and isinstance(rows, ParquetInput)
        writer: Output = (
            TableOutput(labels) if both_parquet else RowOutput(labels, output_format, column)
        )
        streamed = STANDARD_STREAM in (source, output)
        job = None if streamed else _job(classifier, source, column, encoding, record)
        hidden = None if on_rows is None else True
        if bar is None:
            bar = progress_bar(total=rows.rows, unit=" rows", disable=hidden)
        else:
            bar = nullcontext(bar)
        with (
            _part_folder(output, job, resume, writer.suffix, restart) as part,
            bar as moved,
        ):
            count = _score_chunks(classifier, rows.chunks(column), moved, writer, part, on_rows)
            summary = _join(writer, part, output, count, record)
    for note in summary.notes:
        tell(note)
    return summary


def _score_chunks(
    classifier: Classifier | Models,
    chunks: Iterator[Chunk],
    bar: Any,
    writer: Output,
    part: Path,
    on_rows: Callable[[int], None] | None,
) -> int:
    before = 0
    for number, chunk in enumerate(chunks):
        path = part / f"{number:08d}{writer.suffix}"
        if not path.exists():  # of an earlier run
            chunk, scores, flags = score_chunk(classifier, chunk, before, on_rows)
            with _translating_write_errors(part):
                writer.write(path, chunk, scores, flags)
        bar.update(len(chunk.texts))
        before += len(chunk.texts)
    return before


def score_chunk(
    classifier: Classifier | Models,
    chunk: Chunk,
    before: int = 0,
    on_rows: Callable[[int], None] | None = None,
) -> tuple[Chunk, NDArray[np.float32], list[str | None]]:
    """Score a chunk, which follows `before` rows.

    Returns it with the reasons of texts that were not scored in full, the scores (rows × labels,
    NaN for rows without), and the flags, joined by FLAG_SEPARATOR; None for rows without. Of
    several models, it says in columns `language` and `model` which one scored each row.
    """
    languages = classifier.languages(chunk.texts)
    scores, cuts = _score(classifier, chunk.texts, languages, before, on_rows)
    reasons = [reason or cut for reason, cut in zip(chunk.reasons, cuts, strict=True)]
    flags = [
        None if text is None else FLAG_SEPARATOR.join(classifier.flags(row, language))
        for text, row, language in zip(chunk.texts, scores, languages, strict=True)
    ]
    if isinstance(classifier, Models):
        models = [
            None if text is None else classifier.of(language).name
            for text, language in zip(chunk.texts, languages, strict=True)
        ]
        chunk = with_readers(chunk, languages, models)
    return dataclasses.replace(chunk, reasons=reasons), scores, flags


def with_readers(chunk: Chunk, languages: list[str | None], models: list[str | None]) -> Chunk:
    """Return a chunk with columns that say of each row its language and which model scored it."""
    return with_column(with_column(chunk, "language", languages), "model", models)


def _score(
    classifier: Classifier | Models,
    texts: Sequence[str | None],
    languages: Sequence[str | None],
    before: int,
    on_rows: Callable[[int], None] | None,
) -> tuple[NDArray[np.float32], list[str | None]]:
    """Score the texts of a chunk, which follows `before` rows. Returns (texts, labels).

    The second says of each text that is too long to be scored in full how much of it was.
    """
    scores = [np.empty((0, len(classifier.labels)), dtype=np.float32)]
    characters: list[int] = []
    for batch in [texts] if on_rows is None else slices(texts):
        named = languages[len(characters) : len(characters) + len(batch)]
        lengths = [len(text or "") for text in batch]
        if on_rows is None and max(lengths, default=0) <= NEVER_CUT:
            scores.append(classifier.score(batch, named))
        else:
            between = on_rows and _seldom(partial(on_rows, before))
            rows, lengths = classifier.score_beginnings(batch, between=between, languages=named)
            scores.append(rows)
        characters += lengths
        before += len(batch)
        if on_rows:
            on_rows(before)
    parts = [
        f"only the first {scored:,} of {len(text):,} characters were scored"
        if text and scored < len(text)
        else None
        for text, scored in zip(texts, characters, strict=True)
    ]
    return np.concatenate(scores), parts


def _seldom(call: Callable[[], None]) -> Callable[[], None]:
    """The same, but not within WATCHED_SECONDS of the call before, or of now."""
    last = time.monotonic()

    def called() -> None:
        nonlocal last
        if time.monotonic() - last > WATCHED_SECONDS:
            call()
            last = time.monotonic()

    return called


def slices(texts: Sequence[str | None]) -> Iterator[list[str | None]]:
    """Cut texts into lists that end at WATCHED_ROWS or WATCHED_CHARACTERS."""
    batch: list[str | None] = []
    characters = 0
    for text in texts:
        batch.append(text)
        characters += len(text or "")
        if len(batch) == WATCHED_ROWS or characters >= WATCHED_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def progress_bar(**settings: Any) -> Any:
    """A progress bar as a context; one that shows nothing without the extra “files”."""
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:
        does_nothing = dict.fromkeys(("update", "set_description", "clear"), lambda *_: None)
        return nullcontext(SimpleNamespace(**does_nothing))
    return tqdm(**settings)


def _join(
    writer: Output, part: Path, output: str, rows: int, record: dict[str, Any] | None
) -> Summary:
    chunks = _chunk_files(part, writer.suffix)
    if output == STANDARD_STREAM:
        with standard_output() as stream:
            return writer.join(chunks, stream, record)
    joined = part / "joined.part"
    with _translating_write_errors(part):
        try:
            with joined.open("wb") as stream:
                if output.lower().endswith(".gz"):
                    with gzip.GzipFile(fileobj=stream, mode="wb", filename="", mtime=0) as packed:
                        summary = writer.join(chunks, packed, record)
                else:
                    summary = writer.join(chunks, stream, record)
            if summary.rows != rows:
                raise DataError(
                    f"{part}: holds {summary.rows} rows, not the {rows} of the input; delete it "
                    "to start over."
                )
            joined.replace(output)
        finally:
            joined.unlink(missing_ok=True)  # on a full disk, the chunks need the room
    return summary


def _chunk_files(part: Path, suffix: str) -> list[Path]:
    return sorted(part.glob(f"[0-9]*{suffix}"))


def _job(
    classifier: Classifier | Models,
    source: str,
    column: str,
    encoding: str | None,
    record: dict[str, Any] | None,
) -> dict[str, Any]:
    """What determines the chunks, so that halves of two different runs are never joined."""
    if record is not None:  # the source may be a copy of an object in S3
        return {"record": record, "text column": column, "rows in a chunk": CHUNK_ROWS}
    status = Path(source).stat()
    models = [
        {
            "weights": Weights.of(model.folder.weights).sha256,
            "decision": dataclasses.asdict(model.decision),
        }
        for model in members(classifier)
    ]
    return {
        "input": {
            "path": str(Path(source).resolve()),
            "bytes": status.st_size,
            "modified": status.st_mtime_ns,
        },
        "text column": column,
        "encoding": encoding,
        "model": models[0] if len(models) == 1 else models,
        "rows in a chunk": CHUNK_ROWS,
        "layout of chunks": 3,
    }


@contextmanager
def _part_folder(
    output: str, job: dict[str, Any] | None, resume: bool, suffix: str, restart: bool
) -> Iterator[Path]:
    """The folder for chunks; removed after success. After an error it stays, if it holds any.

    A command that writes to standard output also removes it when it is interrupted.
    """
    if output == STANDARD_STREAM:
        part, keep = Path(tempfile.mkdtemp(prefix="toxicity-")), False
        try:
            yield part
        except Exception as error:
            keep = not isinstance(error, BrokenPipeError) and _noted(part, suffix, job, error)
            raise
        finally:
            if not keep:
                shutil.rmtree(part, ignore_errors=True)
        return
    part = Path(f"{output}.part")
    with _translating_write_errors(part):
        part.mkdir(exist_ok=True)
    busy = BusyError(
        f"{part}: another process is working on this output; wait for it to finish, or name "
        "another --output."
    )
    with kept_for_this_process(part, busy):
        started = bool(files_in(part))
        if started:
            try:
                _check_resumable(part, job, resume)
            except DataError:
                if not restart:
                    raise
                with _translating_write_errors(part):
                    for path in files_in(part):
                        path.unlink()
                started = False
        try:
            if not started:
                with _translating_write_errors(part):
                    write_json(part / "job.json", job or {})
            yield part
        except BaseException as error:
            if not _noted(part, suffix, job, error):
                shutil.rmtree(part, ignore_errors=True)
            raise
        shutil.rmtree(part, ignore_errors=os.name == "nt")
    if os.name == "nt":  # which cannot remove an open file, as the lock was until now
        shutil.rmtree(part, ignore_errors=True)


def _noted(part: Path, suffix: str, job: dict[str, Any] | None, error: BaseException) -> bool:
    """Whether a folder holds chunks; if so, a note on the error says it."""
    try:
        chunks = bool(_chunk_files(part, suffix))
    except FileNotFoundError:  # the folder has been removed, as a visitor's is who leaves the page
        return False
    if chunks:
        how = "; --resume continues from there" if job else f", as {suffix} files"
        error.add_note(f"The rows scored so far are in {part}/{how}.")
    return chunks


def _check_resumable(part: Path, job: dict[str, Any] | None, resume: bool) -> None:
    """Raise DataError unless a folder with chunks can be, and shall be, continued with this job."""
    try:
        saved = read_json(part / "job.json")
    except (OSError, ValueError):
        saved = {}
    if not saved or not job:
        raise DataError(
            f"{part}: an interrupted run that cannot be resumed; delete it to start over, or move "
            "it to keep the rows it has scored."
        )
    if not resume:
        raise DataError(
            f"{part}: an interrupted run; add --resume to continue it, or delete it to start over."
        )
    for what, value in json.loads(json.dumps(job)).items():
        if saved.get(what) != value:
            raise DataError(
                f"{part}: was started with another {what}; "
                "use the same one to resume, or delete it to start over."
            )


@contextmanager
def _translating_write_errors(where: Path | str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise DataError(
            f"{where}: writing failed ({error.strerror or error}); free some space or fix the "
            "path, and try again."
        ) from error
