"""python -m comment_toxicity score | serve | feedback | compare: comments in files, over HTTP."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from contextlib import closing, nullcontext

from comment_toxicity.cli import ended_by_signals, run
from comment_toxicity.fetch.find import EMBEDDED
from comment_toxicity.service.settings import DEFAULT_DATABASE, PREFIX, add_flags


def parser() -> argparse.ArgumentParser:
    """Build the command line; each subcommand names the function that runs it as `run`."""
    whole = argparse.ArgumentParser(
        prog="python -m comment_toxicity", description="Score comments."
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
    from comment_toxicity.service import server

    server.run(arguments)


def run_feedback_export(arguments: argparse.Namespace) -> None:
    """Write the corrections, and say on standard error how many there were."""
    from comment_toxicity.fetch.find import find_model
    from comment_toxicity.folder import ModelFolder
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
    from comment_toxicity.files.write import standard_output
    from comment_toxicity.service.compare import compare, report

    comparison = compare(
        load_classifier(arguments.model),
        arguments.input,
        arguments.text_column,
        arguments.threshold,
        arguments.differences,
    )
    with standard_output() as stream:  # whose encoding may lack what a comment has
        stream.write(f"{report(comparison)}\n".encode(sys.stdout.encoding, "replace"))


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
