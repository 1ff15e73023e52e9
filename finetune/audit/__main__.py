"""python -m finetune.audit [MEASURE ...] --model NAME [--data FILE] [--madlibs FILE] …."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from comment_toxicity.cli import check_output, run, translating_write_errors
from comment_toxicity.disk import write_whole
from comment_toxicity.errors import SettingsError
from comment_toxicity.fetch.find import local_model
from finetune.audit.audit import (
    FILE_NAME,
    Audit,
    comparison_table,
    headline_table,
    headlines,
    trade_off,
)
from finetune.audit.run import FILES, MEASURES, ModelUnderTest, take


def main(arguments: list[str] | None = None) -> int:
    """Take and print the measures that the command line asks for. Returns the exit code."""
    flags = _parser().parse_args(arguments)
    return run(
        lambda: _measure(flags), interrupted="interrupted; nothing was written for the last model"
    )


def _measure(flags: argparse.Namespace) -> None:
    _check(flags)
    audits, results = {}, {}
    for chosen in flags.model or [None]:
        model = ModelUnderTest(flags, chosen)
        name, folder = model.classifier.name, model.classifier.folder.path
        measures = flags.measures or list(MEASURES)
        for warning in _missing_labels(model, measures):
            print(warning)
        audit = take(model, measures, _skip if flags.summary else _print)
        audits[name], results[name] = audit.to_dict(), headlines(audit, folder)
        summary = headline_table(results[name]).text() if results[name] else "nothing measured"
        print(f"\n== {name}\n{summary}", flush=True)
        for label in dict.fromkeys((flags.toxic_label, flags.hate_label)):
            if not flags.summary and (table := trade_off(audit, label)):
                print(f"\n{table.text()}", flush=True)
        if flags.save and len(audit.missing) < len(MEASURES):
            with translating_write_errors(folder):
                _save(audit, folder, card=model.classifier.calibrated)
        if flags.output:
            with translating_write_errors(flags.output):
                text = json.dumps(audits, indent=1, ensure_ascii=False)
                write_whole(flags.output, text + "\n")
    if len(results) > 1:
        print(f"\n{comparison_table(results).text()}")


def _check(flags: argparse.Namespace) -> None:
    unknown = [name for name in flags.measures if name not in MEASURES]
    if unknown:
        raise SettingsError(f"no measure {unknown[0]!r}; choose from {', '.join(MEASURES)}.")
    for name in flags.measures:
        if name in FILES and not any(getattr(flags, flag) for flag in FILES[name]):
            raise SettingsError(f"{name} needs a file; give --{' or --'.join(FILES[name])}.")
    for flag in ("sample", "seed", "examples"):
        if getattr(flags, flag) < 0:
            raise SettingsError(f"--{flag} is {getattr(flags, flag)}; give 0 or more.")
    check_output(flags.output)
    for name in flags.model if flags.model and flags.save else ():
        if local_model(name) is None:
            raise SettingsError(
                f"--save: {name} is not a folder on this machine, and models in the download cache "
                "are not changed; use --output FILE instead."
            )


def _missing_labels(model: ModelUnderTest, measures: list[str]) -> list[str]:
    """Return a sentence for each flag that names a label which the model lacks."""
    uses = {
        "toxic_label": ("identity", "everyday", "transfer"),
        "hate_label": ("identity", "function", "transfer"),
        "threat_label": ("threats", "everyday"),
    }
    return [
        f"{model.classifier.name} has no label {label} (it has {', '.join(model.labels)}), "
        f"which {', '.join(asked)} would use; name another with --{flag.replace('_', '-')}."
        for flag, names in uses.items()
        if (label := getattr(model.flags, flag)) not in model.labels
        and (asked := [name for name in measures if name in names])
    ]


def _print(name: str, report: Any) -> None:
    print(f"\n── {name.replace('_', ' ')}\n{report.table()}", flush=True)


def _skip(name: str, report: Any) -> None:
    pass


def _save(audit: Audit, folder: Path, card: bool) -> None:
    """Save the audit beside the weights, and update the card if there is one."""
    from finetune.card import write_card

    before = Audit.load(folder)
    (before.updated(audit) if before else audit).save(folder)
    if card and (folder / "README.md").is_file():
        write_card(folder)
    print(f"written: {folder / FILE_NAME}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m finetune.audit",
        description="Measure what one number does not show about a model: bias against identities, "
        "kinds of hate and threats, everyday language, robustness, operating points, transfer.",
        epilog="Measures: " + ", ".join(MEASURES) + " (default: those with a file; identity, "
        "threats, everyday and languages come with their own sentences). Files: CSV, Parquet or "
        "JSON lines; docs/measures.md says where to get them. @FILE reads more arguments from a "
        "file, one per line.",
        fromfile_prefix_chars="@",
    )
    parser.add_argument("measures", nargs="*", metavar="MEASURE", help="run only these measures")
    parser.add_argument(
        "--model", action="append", metavar="NAME",
        help="measure this model: a name, a folder or a Hub id; repeat to compare models side by "
        "side (default: the embedded model)",
    )  # fmt: skip
    files = {
        "data": "labelled comments, for operating points, calibration and robustness; a column "
        "weight says how much each row counts",
        "madlibs": "bias_madlibs, for identity: identity terms in template sentences",
        "hatecheck": "HateCheck's test cases, for function",
        "davidson": "tweets labelled hate, offensive or neither, for transfer",
        "dynahate": "hate written to fool a model, for transfer",
        "civil": "Civil Comments, or others with columns named after the labels, for transfer",
    }
    for flag, what in files.items():
        parser.add_argument(f"--{flag}", metavar="FILE", help=f"read {what}")
    parser.add_argument(
        "--toxic-label", default="toxic", metavar="LABEL",
        help="the model's label for toxicity (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--hate-label", default="identity_hate", metavar="LABEL",
        help="the model's label for hate against groups (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--threat-label", default="threat", metavar="LABEL",
        help="the model's label for threats (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--sample", type=int, default=0, metavar="ROWS",
        help="disguise this many rows of --data; rare labels are drawn more often and weighted "
        "back (default: 0, which takes all rows)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=int, default=1, help="seed for drawing rows and noise (default: 1)"
    )
    parser.add_argument(
        "--examples", type=int, default=0, metavar="N",
        help="of each kind of everyday sentences, print the N that are judged worst (default: 0)",
    )  # fmt: skip
    parser.add_argument("--summary", action="store_true", help="print only the main results")
    parser.add_argument(
        "--save", action="store_true",
        help="write audit.json into the model's folder and its results into the model card; "
        "earlier results for the same weights are kept",
    )  # fmt: skip
    parser.add_argument(
        "--output", type=Path, metavar="FILE",
        help="write all results into this JSON file, by model",
    )  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main())
