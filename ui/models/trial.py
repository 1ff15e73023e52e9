"""A model that a visitor typed in is loaded by another process first, with limits.

A few bytes of a config can ask for ten million layers, and a tokenizer can make one letter a
hundred million. In this process that would hold up every visitor, and take all memory.
"""

import os
import subprocess
import sys
import threading
from contextlib import suppress

from comment_toxicity.classifier import load_classifier
from comment_toxicity.errors import ModelError, UserError
from finetune.checkout import ROOT

MEMORY = (
    6_000_000_000  # bytes of address space, of which torch takes most; and three times the files
)
SECONDS = 60  # of one core, and as many a gigabyte
WAITED_SECONDS = 900  # with the download
REFUSED = 2
SAMPLE = "You are a kind person, aren't you? " * 20

_one_at_a_time = threading.Lock()


def try_model(name: str, gigabytes: float, public: bool) -> None:
    """Download and load a Hub model in another process, and score a text with it.

    gigabytes: the most that its files take. public: strangers asked for it, so this machine's token
    is not used, which could open its owner's private models.
    Raises ModelError when it cannot be loaded, or takes too much memory or time.
    """
    environment = dict(os.environ)
    if public:
        environment["HF_HUB_DISABLE_IMPLICIT_TOKEN"] = "1"  # noqa: S105 - a switch
        for variable in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            environment.pop(variable, None)
    command = [sys.executable, "-m", "ui.models.trial", name, str(gigabytes)]
    try:
        with _one_at_a_time:
            trial = subprocess.run(
                command,
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                timeout=WAITED_SECONDS,
                check=False,
            )
    except subprocess.TimeoutExpired:
        raise ModelError(f"{name}: loading it takes too long; choose a smaller model.") from None
    if trial.returncode == REFUSED and trial.stdout.strip():
        raise ModelError(trial.stdout.strip())
    if trial.returncode:
        raise ModelError(
            f"{name}: loading it takes more memory or time than this server gives a model of its "
            "size; choose another."
        )


def _load(name: str, gigabytes: float) -> int:
    with suppress(ImportError):  # Windows has no limits
        import resource

        for limit, value in (
            (resource.RLIMIT_AS, MEMORY + 3e9 * gigabytes),
            (resource.RLIMIT_CPU, SECONDS * (1 + gigabytes)),
        ):
            with suppress(ValueError, OSError):  # macOS has no limit of address space
                resource.setrlimit(limit, (int(value), int(value)))
    try:
        load_classifier(name, device="cpu").score([SAMPLE])  # CUDA exceeds MEMORY
    except UserError as error:
        print(error)
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(_load(sys.argv[1], float(sys.argv[2])))
