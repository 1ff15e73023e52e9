"""comment-toxicity score | serve | compare | feedback | explain | drift: the command line.

python -m comment_toxicity is the same command, installed or not.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path

from comment_toxicity.cli import ended_by_signals, run
from comment_toxicity.errors import DataError, SettingsError
from comment_toxicity.extras import needed_for
from comment_toxicity.fetch.find import EMBEDDED
from comment_toxicity.service.settings import DEFAULT_DATABASE, PREFIX, add_flags

SCRIPT = "comment-toxicity"
DEVICES = ("auto", "cpu", "cuda", "mps")  # classifier.py's, which imports too much for --help
LONGEST_TEXT = 16_000_000  # bytes of standard input


def parser() -> argparse.ArgumentParser:
    """The command line; each command sets `run` to the function that runs it."""
    script = Path(sys.argv[0]).stem == SCRIPT
    command_line = argparse.ArgumentParser(
        prog=SCRIPT if script else "python -m comment_toxicity",
        description="Calibrated toxicity scores for comments: in files, over HTTP, one at a time.",
    )
    commands = command_line.add_subparsers(required=True, metavar="COMMAND")
    score = commands.add_parser(
        "score",
        help="score a file of comments",
        description="Copy INPUT's rows and columns to OUTPUT, in order, and add a column "
        "LABEL_score for each label (a calibrated probability) and a column `flags` (the labels at "
        "or above their thresholds, joined by “;”). Blank and unreadable rows are kept: their "
        "scores are empty, and a column `reason`, added only if needed, says why. If INPUT has a "
        "column of such a name, the added one gets a number: reason_1. Long comments are scored in "
        "full, up to 50,000 tokens (some 35,000 words); `reason` says so beyond. OUTPUT appears "
        "when everything is done; until then the work is in OUTPUT.part/.",
    )
    score.set_defaults(run=run_score)
    score.add_argument(
        "input",
        metavar="INPUT",
        nargs="+",
        help="comments: .csv, .tsv, .txt, .jsonl or .json, also with .gz, or .parquet; - reads "
        "standard input. A folder, a pattern such as 'comments/**/*.csv', several files, and all "
        "of these in S3 (s3://bucket/prefix) are scored file by file. The same command, given "
        "again, does not repeat finished files",
    )
    score.add_argument(
        "--output",
        required=True,
        metavar="OUTPUT",
        help="write this file, in the format of its ending; - is standard output. An existing "
        "file is replaced at the end. For several files, a folder or s3://bucket/prefix. Required",
    )
    _add_text_column(score)
    score.add_argument(
        "--encoding",
        metavar="NAME",
        help="read INPUT, if it is text, in this encoding, such as cp1252 (default: UTF-8, or "
        "UTF-16 where the file is that)",
    )
    _add_model(
        score,
        "use this model; of several, as in toxic-minilm,toxic-multilingual, each "
        "row is scored by the first that reads its language, and columns `language` and `model` "
        "say which",
    )
    score.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="use so many threads; with --ray on this machine, processes (default: one per core)",
    )
    score.add_argument(
        "--device",
        choices=DEVICES,
        default="auto",
        help="run a torch model here; auto takes a GPU if there is one. ONNX models, such as the "
        "default one, run on the CPU (default: %(default)s)",
    )
    score.add_argument(
        "--format",
        choices=("csv", "jsonl", "parquet"),
        help="the format of standard input and output, where - is given (default: csv), or of all "
        "outputs in a folder (default: that of each input)",
    )
    score.add_argument(
        "--shard",
        metavar="I/N",
        help="of several files, score only the part I of N, counted from 0: a machine each. A file "
        "belongs to a part by a hash of its name (default: score all)",
    )
    score.add_argument(
        "--resume",
        action="store_true",
        help="resume the interrupted run in OUTPUT.part/, if there is one with the same input, "
        "model and text column (default: refuse to start if there is one)",
    )
    score.add_argument(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="score several files on a Ray cluster, a CPU each: that at ADDRESS (HOST:PORT) or "
        "RAY_ADDRESS, or else on this machine. Put it last (default: one process)",
    )
    serve = commands.add_parser(
        "serve",
        help="serve scores over HTTP, in the wire formats of the Perspective API and OpenAI",
        description="Serve comments:analyze and the rest of the Perspective API, OpenAI's "
        "/v1/moderations, and /v1/score over HTTP. Each flag below, except --host to "
        "--drain-seconds, can also be set by an environment variable: --rate-limit by "
        "TOXICITY_RATE_LIMIT.",
    )
    serve.set_defaults(run=run_serve)
    add_flags(serve)
    add_feedback(commands)
    add_compare(commands)
    add_explain(commands)
    add_drift(commands)
    return command_line


def _add_text_column(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--text-column",
        metavar="NAME",
        help="the column that holds the comments (default: comment_text, or else text, or else the "
        "one with the longest texts, if one stands out)",
    )


def _add_model(parser: argparse.ArgumentParser, purpose: str) -> None:
    parser.add_argument(
        "--model",
        default=EMBEDDED,
        metavar="NAME",
        help=f"{purpose}: a name in models/ or runs/, a model folder, a Hub id owner/name or "
        "owner/name@revision, or s3://bucket/prefix (default: %(default)s)",
    )


def add_feedback(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `feedback export`."""
    feedback = commands.add_parser(
        "feedback",
        help="use the corrections that clients sent to comments:suggestscore",
        description="Use the corrections that clients sent to comments:suggestscore.",
    )
    export = feedback.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "export",
        help="write them as rows to fine-tune on",
        description="Write the corrections as rows that finetune reads: id, comment_text, and a "
        "column for each label with 1, 0, or -1 where nobody corrected it. If a comment was "
        "corrected several times, the latest correction counts.",
    )
    export.set_defaults(run=run_feedback_export)
    export.add_argument(
        "--database",
        default=os.environ.get(f"{PREFIX}FEEDBACK_DATABASE") or DEFAULT_DATABASE,
        metavar="URL",
        help="read this SQLAlchemy database, the one of serve's --feedback-database (default: "
        f"{PREFIX}FEEDBACK_DATABASE, or else {DEFAULT_DATABASE})",
    )
    export.add_argument(
        "--output",
        required=True,
        metavar="FILE",
        help="write this .csv file; - is standard output. Required",
    )
    _add_model(export, "write a column for each label of this model")
    export.add_argument(
        "--since", metavar="DATE", help="leave out corrections before this date, such as 2026-12-31"
    )
    export.add_argument(
        "--community", metavar="ID", help="take only corrections with this communityId"
    )
    export.add_argument(
        "--deleted-is-toxic",
        action="store_true",
        help="count comments that Coral's moderators deleted as toxic; they delete off-topic ones, "
        "too (default: leave these out; approved comments count as not toxic either way)",
    )


def add_compare(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `compare`."""
    compare = commands.add_parser(
        "compare",
        help="compare a model's scores with those from Perspective",
        description="Score comments whose Perspective scores you kept. For each attribute, print "
        "how well the two agree, the threshold that flags as many comments as yours did on "
        "Perspective's scores, and the comments on which they differ most.",
    )
    compare.set_defaults(run=run_compare)
    compare.add_argument(
        "input",
        metavar="OLD",
        help="comments and scores: .csv, .csv.gz, .jsonl, .jsonl.gz or .parquet, with a column "
        "named after each Perspective attribute, in any case (toxicity, TOXICITY), or with the "
        "API's own answers: nested, as JSON text in a cell, or with joined names "
        "(attributeScores.TOXICITY.summaryScore.value)",
    )
    _add_text_column(compare)
    compare.add_argument(
        "--threshold",
        type=float,
        default=0.8,
        metavar="SCORE",
        help="the Perspective score from which you acted (default: %(default)s, Coral's)",
    )
    compare.add_argument(
        "--differences",
        type=int,
        default=10,
        metavar="N",
        help="print this many comments on which the two differ most (default: %(default)s)",
    )
    _add_model(compare, "compare this model")


def add_explain(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `explain`."""
    explain = commands.add_parser(
        "explain",
        help="score one comment and show the words that carry each flag",
        description="Print the scores of one comment, the labels it is flagged with, and for each "
        "of these the words that carry it: by how much the score falls without the word. In a long "
        "comment they are sentences.",
    )
    explain.set_defaults(run=run_explain)
    explain.add_argument(
        "text",
        metavar="TEXT",
        nargs="?",
        default="-",
        help="the comment; - reads standard input (default: %(default)s)",
    )
    explain.add_argument("--json", action="store_true", help="print a JSON object (default: text)")
    _add_model(
        explain,
        "explain this model's scores; of several, separated by commas, those of "
        "the first that reads the comment's language",
    )


def add_drift(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `drift`."""
    drift = commands.add_parser(
        "drift",
        help="show how the shares of flagged comments change from week to week",
        description="Print, for each week and label of a decision log, the share of comments that "
        "were flagged, with its 95 %% interval, and mark weeks that differ from the first ones.",
    )
    drift.set_defaults(run=run_drift)
    drift.add_argument("log", metavar="LOG", help="the file or database of serve's --decision-log")
    drift.add_argument(
        "--first",
        type=int,
        default=4,
        metavar="WEEKS",
        help="compare with this many first weeks (default: %(default)s)",
    )
    drift.add_argument(
        "--policy",
        metavar="NAME",
        help="count only the decisions of this policy, '' for those of none (default: all)",
    )


def run_score(arguments: argparse.Namespace) -> None:
    """Score a file or many, and print a summary on standard error."""
    from comment_toxicity.files.many import is_many
    from comment_toxicity.files.read import file_format, input_format
    from comment_toxicity.files.score import score_file
    from comment_toxicity.routing import load_models

    if is_many(arguments.input, arguments.output):
        run_score_many(arguments)
        return
    for flag in ("shard", "ray"):
        if getattr(arguments, flag) is not None:
            raise SettingsError(f"--{flag} needs several files: give a folder, or a pattern.")
    [source] = arguments.input
    stream_format = arguments.format or "csv"
    input_format(source, stream_format)  # report a wrong ending before a model is loaded
    file_format(arguments.output, stream_format)
    classifier = load_models(arguments.model, arguments.threads, arguments.device)
    start = time.monotonic()
    summary = score_file(
        classifier,
        source,
        arguments.output,
        arguments.text_column,
        stream_format,
        arguments.resume,
        encoding=arguments.encoding,
        tell=tell,
    )
    unscored = f", {summary.unscored} of them without scores" if summary.unscored else ""
    seconds = time.monotonic() - start
    print(f"{summary.rows} rows{unscored}, in {seconds:.1f} s", file=sys.stderr)


def run_score_many(arguments: argparse.Namespace) -> None:
    """Score many files, and print a summary on standard error."""
    from comment_toxicity.files import many
    from comment_toxicity.routing import load_models

    shard = many.Shard.parse(arguments.shard) if arguments.shard else None
    jobs = many.plan(arguments.input, arguments.output, arguments.format, shard)
    options = many.Options(arguments.text_column, arguments.encoding)
    start = time.monotonic()
    classifier = load_models(arguments.model, arguments.threads, arguments.device)
    if arguments.ray is None:
        totals = many.run(classifier, jobs, options, tell)
    else:
        from comment_toxicity.files.cluster import run_on_ray

        totals = run_on_ray(classifier, jobs, options, tell, arguments.ray, arguments.threads)
    if not shard:
        for output in {job.output.root: job.output for job in jobs}.values():
            output.tidy()
    tell(f"{totals}, in {time.monotonic() - start:.1f} s")
    if totals.failed:
        raise DataError(
            f"{len(totals.failed)} of {len(jobs)} files could not be scored, such as "
            f"{totals.failed[0].removesuffix('.')}. Fix that and give the command again: finished "
            "files are not repeated."
        )


def run_serve(arguments: argparse.Namespace) -> None:
    """Serve until stopped."""
    with service_packages():
        from comment_toxicity.service import server

    server.run(arguments)


def service_packages() -> AbstractContextManager[None]:
    """Turn a failed import of the service into a SettingsError that says what to install."""
    return needed_for("This command", "comment-toxicity[serve]", SettingsError)


def run_feedback_export(arguments: argparse.Namespace) -> None:
    """Write the corrections, and print their number on standard error."""
    from comment_toxicity.fetch.find import find_model
    from comment_toxicity.folder import ModelFolder

    with service_packages():
        from comment_toxicity.service.feedback import FeedbackStore, export, since

    with closing(FeedbackStore(arguments.database)) as store:
        rows = export(
            store,
            ModelFolder.read(find_model(arguments.model)).labels,
            arguments.output,
            since(arguments.since) if arguments.since else None,
            arguments.community,
            arguments.deleted_is_toxic,
        )
    print(f"{rows} corrected comments", file=sys.stderr)


def run_compare(arguments: argparse.Namespace) -> None:
    """Print how a model's scores compare with those in a file."""
    from comment_toxicity.classifier import load_classifier
    from comment_toxicity.service.compare import compare, report

    comparison = compare(
        load_classifier(arguments.model),
        arguments.input,
        arguments.text_column,
        arguments.threshold,
        arguments.differences,
        tell,
    )
    print_text(report(comparison))


def run_explain(arguments: argparse.Namespace) -> None:
    """Print a comment's scores, its flags, and the words that carry them."""
    from comment_toxicity.explain import explain_flags, report
    from comment_toxicity.routing import load_models

    text = read_standard_input() if arguments.text == "-" else arguments.text
    explained = explain_flags(load_models(arguments.model), text)
    as_json = json.dumps(explained, ensure_ascii=False)
    print_text(as_json if arguments.json else report(explained))


def run_drift(arguments: argparse.Namespace) -> None:
    """Print the shares of flagged comments by week."""
    from comment_toxicity.service.drift import drift, report

    with service_packages():
        found = drift(arguments.log, arguments.first, arguments.policy)
    print_text(report(found))


def tell(sentence: str) -> None:
    """Print what a user should know, apart from the result: on standard error."""
    print(sentence, file=sys.stderr)


def read_standard_input() -> str:
    """Standard input as text. DataError when it is not UTF-8, or longer than a comment can be."""
    content = sys.stdin.buffer.read(LONGEST_TEXT + 1)
    if len(content) > LONGEST_TEXT:
        raise DataError(f"standard input: more than {LONGEST_TEXT:,} bytes; give one comment.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"standard input: not UTF-8 (byte {error.start + 1}).") from error


def print_text(text: str) -> None:
    """Print lines, with ? for characters that standard output's encoding lacks."""
    from comment_toxicity.files.write import standard_output

    with standard_output() as stream:
        stream.write(f"{text}\n".encode(sys.stdout.encoding, "replace"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Returns the exit code."""
    chosen = parser().parse_args(arguments)
    with nullcontext() if chosen.run is run_serve else ended_by_signals():
        return run(lambda: chosen.run(chosen))


if __name__ == "__main__":
    sys.exit(main())
