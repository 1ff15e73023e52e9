"""python -m finetune --config configs/NAME.toml [STAGE ...] [--SETTING VALUE ...]."""

import argparse
import dataclasses
import shutil
import sys
from pathlib import Path

from classifier.errors import EXIT_CODE, SettingsError, UserError

from . import record
from .config import Settings, add_flags, from_flags, from_toml
from .stages import STAGES, is_first_process, run_stages


def main(arguments: list[str] | None = None) -> int:
    """Run the stages that the command line names. Returns the exit code."""
    flags = _parser().parse_args(arguments)
    try:
        settings = _settings(flags)
        names = flags.stages or list(STAGES)
        if is_first_process():
            _open_run(settings, names, resume=flags.resume, clear=flags.clear)
        run_stages(names, settings, resume=flags.resume)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_CODE
    except KeyboardInterrupt:
        print("stopped; --resume goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m finetune",
        description="Train a comment classifier on labelled comments: rows in, model folder out.",
        epilog="Stages run in this order: " + ", ".join(STAGES) + ". "
        "A stage by itself reads what the earlier ones left in --output-dir.",
    )
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="run only these (default: all)")
    parser.add_argument("--config", help="take settings from this TOML file (default: none)")
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--resume", action="store_true", help="go on with the interrupted run in --output-dir"
    )
    group.add_argument(
        "--clear", action="store_true", help="delete the run in --output-dir and start anew"
    )
    add_flags(parser.add_argument_group("settings, each also a line of the config"))
    return parser


def _settings(flags: argparse.Namespace) -> Settings:
    """Lay flags over the config, or over the record of the run when no config is named."""
    unknown = [name for name in flags.stages if name not in STAGES]
    if unknown:
        raise SettingsError(f"no stage {unknown[0]!r}; the stages are {', '.join(STAGES)}.")
    if flags.config:
        return from_flags(flags, from_toml(flags.config))
    recorded = Path(getattr(flags, "output_dir", "")) / record.FILE_NAME
    if recorded.is_file():
        return from_flags(flags, record.load(recorded.parent)["settings"])
    return from_flags(flags, {})


def _open_run(settings: Settings, names: list[str], resume: bool, clear: bool) -> None:
    """Start a record in an empty run folder, or see that the one there is of this very run."""
    folder = Path(settings.output_dir)
    if clear and folder.exists():
        if not (folder / record.FILE_NAME).is_file() and any(folder.iterdir()):
            raise SettingsError(
                f"{folder}: holds no run, so --clear leaves it alone; name another --output-dir."
            )
        shutil.rmtree(folder)
    if not (folder / record.FILE_NAME).is_file():
        if names[0] != next(iter(STAGES)):
            record.load(folder)  # raises: no run there
        if folder.is_dir() and any(folder.iterdir()):
            raise SettingsError(
                f"{folder}: holds other files; name another --output-dir or empty it."
            )
        record.begin(settings, folder)
        return
    if names[0] == next(iter(STAGES)) and not resume:
        raise SettingsError(
            f"{folder}: holds a run; --resume goes on with it, --clear deletes it first."
        )
    known = record.load(folder)
    differing = record.differences(known, settings)
    if differing:
        raise SettingsError(
            f"{folder}: its run has another {', '.join(differing)}; leave these as they were, "
            "or start anew with --clear."
        )
    record.save(known | {"settings": dataclasses.asdict(settings)}, folder)


if __name__ == "__main__":
    sys.exit(main())
