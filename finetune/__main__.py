"""python -m finetune --config configs/NAME.toml [STAGE ...] [--SETTING VALUE ...].

python -m finetune publish MODEL --to TARGET [--require CONDITION] publishes a model folder.
"""

import argparse
import sys
from pathlib import Path

from comment_toxicity import cli
from comment_toxicity.errors import GateError
from finetune import record
from finetune.config import Settings, add_flags, from_flags, from_toml
from finetune.processes import failure_ends_others, is_first_process, wait_for_first
from finetune.run import run
from finetune.stages import STAGES, run_stages


def main(arguments: list[str] | None = None) -> int:
    """Run the stages that the command line names. Returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if _is_publish_command(arguments):
        publishing = _publish_parser().parse_args(arguments[1:])
        return cli.run(lambda: _publish(publishing))
    flags = _parser().parse_args(arguments)
    return cli.run(lambda: _run(flags), interrupted="interrupted; --resume continues the run")


def _is_publish_command(arguments: list[str]) -> bool:
    """Whether `publish` is the subcommand, which takes a MODEL, and not the stage of a run.

    The stage takes settings (publish --output-dir RUN); the subcommand needs MODEL and --to.
    """
    if arguments[:1] != ["publish"]:
        return False
    following = arguments[1:]
    has_model = bool(following) and not following[0].startswith("-") and following[0] not in STAGES
    return has_model or any(word.split("=")[0] in ("--to", "-h", "--help") for word in following)


def _run(flags: argparse.Namespace) -> None:
    if is_first_process():
        with failure_ends_others():
            _run_stages(flags)
    elif not flags.stages or "train" in flags.stages:
        import finetune.train.train  # noqa: F401 - takes seconds, and the first is not ready yet

        wait_for_first()
        folder = Path(_settings(flags).output_dir)
        run_stages(["train"], Settings(**record.recorded_settings(folder)), resume=flags.resume)


def _run_stages(flags: argparse.Namespace) -> None:
    run(_settings(flags), flags.stages, resume=flags.resume, clear=flags.clear)


def _publish(flags: argparse.Namespace) -> None:
    from finetune.publish.publish import publish

    publish(flags.model, flags.to, flags.require, flags.private, flags.tag, flags.dry_run)


def _publish_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m finetune publish",
        description="Publish a model folder on the Hugging Face Hub or on S3, if its metrics meet "
        "the conditions. Readers see either the old model or the whole new one. If interrupted, "
        "run the same command again.",
        epilog=f"Exit code {GateError.exit_code}: a condition is not met, and nothing was sent. "
        "Credentials: HF_TOKEN or `hf auth login` for the Hub; for S3 those of the AWS tools, "
        "with AWS_ENDPOINT_URL for an endpoint other than Amazon's. In a config, a section "
        "[publish] with to, require, private and tags makes this the last stage of a run.",
    )
    parser.add_argument(
        "model", metavar="MODEL", help="a model folder, a model name, or a run folder"
    )
    parser.add_argument(
        "--to",
        required=True,
        action="append",
        metavar="TARGET",
        help="hub:OWNER/NAME or s3://BUCKET/PREFIX, created if it does not exist; repeatable",
    )
    parser.add_argument(
        "--require",
        action="append",
        default=[],
        metavar="CONDITION",
        help='publish only if this holds: "roc_auc_mean >= 0.97", "f1.threat >= 0.4", '
        '"roc_auc_mean >= published - 0.002", or, by its path in audit.json, '
        '"audit.function.accuracy >= 0.77"; repeatable (default: no condition)',
    )
    parser.add_argument(
        "--private",
        action=argparse.BooleanOptionalAction,
        help="make a new repository on the Hub private (default: the owner's setting there)",
    )
    parser.add_argument(
        "--tag",
        action="append",
        default=[],
        metavar="NAME",
        help="tag this version, as in owner/name@v1.2; repeatable (default: none)",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="list the files and check the conditions; send nothing",
    )
    return parser


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m finetune",
        usage="%(prog)s [STAGE ...] [--config FILE] [--SETTING VALUE ...] [--resume | --clear]",
        add_help=False,  # among its like, after the settings that are needed first
        description="Train a comment classifier on labelled comments: rows in, model folder out.",
        epilog="Stages run in this order: " + ", ".join(STAGES) + ". "
        "A stage on its own reads what the earlier ones left in --output-dir. "
        "`python -m finetune publish --help` explains how to publish any model folder.",
    )
    add_flags(parser)
    command = parser.add_argument_group("command")
    command.add_argument("-h", "--help", action="help", help="print this and exit")
    command.add_argument("stages", nargs="*", metavar="STAGE", help="run only these (default: all)")
    command.add_argument(
        "--config", metavar="FILE", help="take settings from this TOML file (default: none)"
    )
    either = command.add_mutually_exclusive_group()
    either.add_argument(
        "--resume", action="store_true", help="continue the interrupted run in --output-dir"
    )
    either.add_argument(
        "--clear", action="store_true", help="delete the run in --output-dir and start over"
    )
    return parser


def _settings(flags: argparse.Namespace) -> Settings:
    """The config, or without one the record of the run, with the flags over it."""
    if flags.config:
        return from_flags(flags, from_toml(flags.config))
    folder = Path(getattr(flags, "output_dir", Settings.output_dir))
    if flags.clear or not record.holds_run(folder):
        if flags.resume and "train_data" not in flags:
            raise record.no_run(folder)
        return from_flags(flags, {})
    return from_flags(flags, record.recorded_settings(folder))


if __name__ == "__main__":
    sys.exit(main())
