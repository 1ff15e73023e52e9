"""comment-toxicity score | serve | compare | feedback | explain: comments in files, over HTTP.

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
LONGEST_TEXT = 16_000_000  # bytes of standard input


def parser() -> argparse.ArgumentParser:
    """Build the command line; each subcommand names the function that runs it as `run`."""
    script = Path(sys.argv[0]).stem == SCRIPT
    whole = argparse.ArgumentParser(
        prog=SCRIPT if script else "python -m comment_toxicity", description="Score comments."
    )
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    score = commands.add_parser(
        "score",
        help="score a file of comments",
        description="Write INPUT's rows and columns to OUTPUT, in order, with one column "
        "LABEL_score a label (a calibrated probability) and a column `flags` (the labels at or "
        "above their thresholds, joined by “;”). Blank and unreadable rows keep their place: their "
        "scores are empty, and a column `reason`, which is there only if needed, says why. Long "
        "comments are read whole. OUTPUT appears when all is done; until then the work lies in "
        "OUTPUT.part/.",
    )
    score.set_defaults(run=run_score)
    score.add_argument(
        "input",
        metavar="INPUT",
        help="comments: .csv, .csv.gz, .jsonl, .jsonl.gz or .parquet; - reads standard input",
    )
    score.add_argument(
        "--output",
        required=True,
        metavar="OUTPUT",
        help="where to write, in the format of its ending; - is standard output. An older file "
        "there is replaced at the end. Required",
    )
    score.add_argument(
        "--text-column",
        metavar="NAME",
        help="the column that holds the comments (default: comment_text, or else text)",
    )
    score.add_argument(
        "--model",
        default=EMBEDDED,
        metavar="NAME",
        help="score with this one: a name in models/ or runs/, a model folder, a Hub id "
        "owner/name or owner/name@revision, or s3://bucket/prefix (default: %(default)s)",
    )
    score.add_argument(
        "--format",
        choices=("csv", "jsonl"),
        default="csv",
        help="how standard input and output are written, where - is given (default: %(default)s)",
    )
    score.add_argument(
        "--resume",
        action="store_true",
        help="go on with the interrupted run in OUTPUT.part/, if there is one and it has the same "
        "input, model and text column (default: refuse to start where there is one)",
    )
    serve = commands.add_parser(
        "serve",
        help="answer over HTTP, in the wire format of the Perspective API",
        description="Answer comments:analyze and the rest of the Perspective API, and /v1/score, "
        "over HTTP. Each flag below, --host to --drain-seconds apart, can also be set by an "
        "environment variable: --rate-limit is TOXICITY_RATE_LIMIT.",
    )
    serve.set_defaults(run=run_serve)
    add_flags(serve)
    add_feedback(commands)
    add_compare(commands)
    add_explain(commands)
    return whole


def add_feedback(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe `feedback export`."""
    feedback = commands.add_parser(
        "feedback",
        help="use the corrections that comments:suggestscore has sent",
        description="Use the corrections that comments:suggestscore has sent.",
    )
    export = feedback.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "export",
        help="write them as rows that finetune reads",
        description="Write the corrections as rows that finetune reads: id, comment_text, and a "
        "column a label with 1, 0, or -1 for what nobody said. Of several corrections of a "
        "comment the latest counts.",
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
    export.add_argument(
        "--model",
        default=EMBEDDED,
        metavar="NAME",
        help="write a column for each label of this model (default: %(default)s)",
    )
    export.add_argument(
        "--since", metavar="DATE", help="leave out what came before, such as 2026-12-31"
    )
    export.add_argument(
        "--community", metavar="ID", help="take only what came with this communityId"
    )
    export.add_argument(
        "--deleted-is-toxic",
        action="store_true",
        help="take a comment that Coral's moderators deleted for toxic; they delete what is off "
        "topic, too (default: leave it out; what they approved is not toxic either way)",
    )


def add_compare(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe `compare`."""
    compare = commands.add_parser(
        "compare",
        help="compare our scores with those that Perspective gave",
        description="Score comments whose Perspective scores you kept, and print for each "
        "attribute how well the two agree, the threshold on ours that flags as many comments as "
        "yours did on theirs, and the comments on which they differ most.",
    )
    compare.set_defaults(run=run_compare)
    compare.add_argument(
        "input",
        metavar="OLD",
        help="comments and scores: .csv, .csv.gz, .jsonl, .jsonl.gz or .parquet, with a column a "
        "Perspective attribute, named after it in whatever case (toxicity, TOXICITY, "
        "attributeScores.TOXICITY.summaryScore.value)",
    )
    compare.add_argument(
        "--text-column",
        metavar="NAME",
        help="the column that holds the comments (default: comment_text, or else text)",
    )
    compare.add_argument(
        "--threshold",
        type=float,
        default=0.8,
        metavar="SCORE",
        help="the score from which on you acted until now (default: %(default)s, Coral's)",
    )
    compare.add_argument(
        "--differences",
        type=int,
        default=10,
        metavar="N",
        help="print so many comments on which the two differ most (default: %(default)s)",
    )
    compare.add_argument(
        "--model",
        default=EMBEDDED,
        metavar="NAME",
        help="compare this one: a name in models/ or runs/, a model folder, or a Hub id "
        "(default: %(default)s)",
    )


def add_explain(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe `explain`."""
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
    explain.add_argument(
        "--model",
        default=EMBEDDED,
        metavar="NAME",
        help="explain this model's scores: a name in models/ or runs/, a model folder, a Hub id, "
        "or s3://bucket/prefix (default: %(default)s)",
    )


def run_score(arguments: argparse.Namespace) -> None:
    """Score a file, and say on standard error how it went."""
    from comment_toxicity.classifier import load_classifier
    from comment_toxicity.files.read import file_format
    from comment_toxicity.files.score import score_file

    for path in (arguments.input, arguments.output):
        file_format(path, arguments.format)  # a wrong ending shows before a model is loaded
    classifier = load_classifier(arguments.model)
    start = time.monotonic()
    summary = score_file(
        classifier,
        arguments.input,
        arguments.output,
        arguments.text_column,
        arguments.format,
        arguments.resume,
    )
    unscored = f", {summary.unscored} of them without scores" if summary.unscored else ""
    seconds = time.monotonic() - start
    print(f"{summary.rows} rows{unscored}, in {seconds:.1f} s", file=sys.stderr)


def run_serve(arguments: argparse.Namespace) -> None:
    """Serve until told to stop."""
    with service_packages():
        from comment_toxicity.service import server

    server.run(arguments)


def service_packages() -> AbstractContextManager[None]:
    """Around imports of the service: SettingsError with the command that installs its packages."""
    return needed_for("This command", "comment-toxicity[serve]", SettingsError)


def run_feedback_export(arguments: argparse.Namespace) -> None:
    """Write the corrections, and say on standard error how many there were."""
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
    """Print how our scores compare with those of a file."""
    from comment_toxicity.classifier import load_classifier
    from comment_toxicity.service.compare import compare, report

    comparison = compare(
        load_classifier(arguments.model),
        arguments.input,
        arguments.text_column,
        arguments.threshold,
        arguments.differences,
    )
    print_text(report(comparison))


def run_explain(arguments: argparse.Namespace) -> None:
    """Print a comment's scores, its flags, and the words that carry them."""
    from comment_toxicity.classifier import load_classifier
    from comment_toxicity.explain import explain_flags, report

    text = read_standard_input() if arguments.text == "-" else arguments.text
    found = explain_flags(load_classifier(arguments.model), text)
    print_text(json.dumps(found, ensure_ascii=False) if arguments.json else report(found))


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
    resumable = hasattr(chosen, "resume") and "-" not in (chosen.input, chosen.output)
    with nullcontext() if chosen.run is run_serve else ended_by_signals():
        return run(
            lambda: chosen.run(chosen),
            interrupted="interrupted" + "; --resume continues it" * resumable,
        )


if __name__ == "__main__":
    sys.exit(main())
