"""python -m classifier score | serve | feedback | compare: files and HTTP requests of comments."""

import argparse
import os
import sys
import time
from collections.abc import Sequence

from classifier.errors import EXIT_CODE, UserError
from classifier.models import EMBEDDED
from classifier.service.settings import add_flags


def parser() -> argparse.ArgumentParser:
    """Build the command line; each subcommand names the function that runs it as `run`."""
    whole = argparse.ArgumentParser(prog="python -m classifier", description="Score comments.")
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
        help="score with this one: a name in models/ or runs/, a model folder, or a Hub id "
        "owner/name or owner/name@revision (default: %(default)s)",
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
    return whole


def run_score(arguments: argparse.Namespace) -> None:
    """Score a file, and say on standard error how it went."""
    from classifier import load_classifier
    from classifier.files import file_format
    from classifier.score_file import score_file

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
    from classifier.service.server import run

    run(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when all went well."""
    chosen = parser().parse_args(arguments)
    try:
        chosen.run(chosen)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_CODE
    except KeyboardInterrupt:
        print("interrupted; --resume goes on with it", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our standard output has gone; Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return 0


if __name__ == "__main__":
    sys.exit(main())
