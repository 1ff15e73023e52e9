"""A model on the Hub, looked at before anything of it is downloaded."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from comment_toxicity.decision import FILE_NAME as DECISION_FILE
from comment_toxicity.errors import ModelError
from comment_toxicity.fetch.find import HUB_ID
from comment_toxicity.fetch.hub import SMALL_FILES, WEIGHT_PATTERNS, hub_errors

TASK = "ForSequenceClassification"


def check_hub_model(name: str, most_gigabytes: float) -> float:
    """See that a Hub id names a model that can be loaded here; give the most gigabytes it fetches.

    Raises ModelError, with the reason, for what is no Hub id, does not exist or is not open to
    this machine, is no text classifier, has no weights in a format that is read without running
    code (safetensors, ONNX, or a .bin by torch's weights-only reader), or would fetch more than
    most_gigabytes; also without a network.
    """
    match = HUB_ID.fullmatch(name)
    if match is None:
        raise ModelError(f"{name!r} is no Hub id; type owner/name, or owner/name@revision.")
    with hub_errors(match["repo"], match["revision"]):
        from huggingface_hub import HfApi

        info = HfApi().model_info(
            match["repo"], revision=match["revision"], files_metadata=True, timeout=10
        )
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
    config = info.config or {}
    if "config.json" not in sizes:
        raise ModelError(f"{name}: has no config.json, so it is no transformers model.")
    if "auto_map" in config:
        raise ModelError(f"{name}: brings its own Python code, which is never run here.")
    architectures = config.get("architectures") or []
    if not any(str(kind).endswith(TASK) for kind in architectures):
        raise ModelError(
            f"{name}: is no text classifier ({', '.join(architectures) or 'of unknown kind'}); "
            "choose one whose page on the Hub says Text Classification."
        )
    top = [file for file in sizes if "/" not in file]  # what lies in folders is not fetched
    weights = [files for kind in WEIGHT_PATTERNS if (files := _matching(top, [kind]))]
    if not weights:
        raise ModelError(
            f"{name}: has no weights in a format that is safe to read; choose a model with "
            "model.safetensors."
        )
    if DECISION_FILE not in top:
        del weights[1:]  # the best are fetched; decision.json, not read here, can name any
    largest = max(sum(sizes[file] for file in files) for files in weights)
    gigabytes = (largest + sum(sizes[file] for file in _matching(top, SMALL_FILES))) / 1e9
    if gigabytes > most_gigabytes:
        raise ModelError(
            f"{name}: its files take {gigabytes:.1f} GB, and this server allows "
            f"{most_gigabytes:g} GB; choose a smaller model."
        )
    return gigabytes


def _matching(names: Iterable[str], kinds: Iterable[str]) -> list[str]:
    return [name for name in names if any(fnmatchcase(name, kind) for kind in kinds)]
