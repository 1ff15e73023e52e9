"""What the commands share: one frame around their work, and checks of --output.

def main(arguments=None) -> int:
flags = parser().parse_args(arguments)
return run(lambda: work(flags))
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from comment_toxicity.errors import SettingsError, UserError

EXIT_CODE_INTERRUPTED = 130  # 128 + the signal's number, as shells have it
EXIT_CODE_BROKEN_PIPE = 141


def run(work: Callable[[], None], interrupted: str = "interrupted") -> int:
    """Do a command's work. Returns its exit code, 0 when all went well.

    An error that a user can fix becomes one line on standard error, never a traceback.
    interrupted: printed after Ctrl+C.
    """
    try:
        work()
        sys.stdout.flush()
    except UserError as error:
        print(f"error: {_with_notes(error)}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as error:
        print(_with_notes(error, interrupted), file=sys.stderr)
        return EXIT_CODE_INTERRUPTED
    except BrokenPipeError:  # the reader of standard output has gone
        discard_stdout()
        return EXIT_CODE_BROKEN_PIPE
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(
            f"error: {where}{error.strerror or error}; check the path, its permissions and the "
            + _with_notes(error, "free space."),
            file=sys.stderr,
        )
        return UserError.exit_code
    return 0


def _with_notes(error: BaseException, message: str = "") -> str:
    """A message, or else the error's own, and the notes that were added to it: on one line."""
    message = message or str(error)
    notes = getattr(error, "__notes__", [])
    return " ".join([message.removesuffix(".") + ".", *notes]) if notes else message


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the command like an error, so that no temporary file is left."""

    def end(number: int, _: object) -> None:
        for other in caught:
            signal.signal(other, signal.SIG_IGN)  # another signal must not interrupt the clean-up
        raise SystemExit(128 + number)

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]  # no SIGHUP: Windows
    signals = [signal.Signals[name] for name in names]
    caught = [each for each in signals if signal.getsignal(each) == signal.SIG_DFL]  # not nohup
    try:
        for each in caught:
            signal.signal(each, end)
        yield
    finally:
        for each in caught:
            signal.signal(each, signal.SIG_DFL)


def discard_stdout() -> None:
    """Discard what standard output still buffers: Python would fail on it again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def check_output(path: Path | None) -> None:
    """Raise SettingsError where --output names a file that cannot be written, before the work."""
    if path and path.is_dir():
        raise SettingsError(f"{path}: is a folder; name a file in it for --output.")
    if path and not path.absolute().parent.is_dir():
        raise SettingsError(f"{path}: its folder does not exist; create it, or change --output.")


@contextmanager
def translating_write_errors(path: Path) -> Iterator[None]:
    """Turn an OSError while `path` is written into a SettingsError."""
    try:
        yield
    except OSError as error:
        raise SettingsError(
            f"{path}: cannot be written ({error.strerror}); check its permissions and the free "
            "space."
        ) from error
