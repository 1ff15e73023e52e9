"""A check of a model on the Hub, before anything of it is downloaded."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from comment_toxicity.decision import FILE_NAME as DECISION_FILE
from comment_toxicity.errors import ModelError
from comment_toxicity.fetch.find import HUB_ID
from comment_toxicity.fetch.hub import SMALL_FILES, WEIGHT_PATTERNS, hub_errors

TASK = "ForSequenceClassification"


def check_hub_model(name: str, most_gigabytes: float, public: bool = False) -> float:
    """Check that a Hub id names a model that can be loaded here.

    Returns the most gigabytes that loading it downloads. Raises ModelError, with the reason, where
    - the id is not valid, does not exist or is not open to this machine,
    - the model is not a text classifier, or brings code of its own,
    - no weights are in a format that is read without running code (safetensors, ONNX, or a .bin
      by torch's weights-only reader),
    - it would download more than most_gigabytes, or there is no network.
    public: strangers ask, so this machine's token is not used, which could open private models.
    """
    match = HUB_ID.fullmatch(name)
    if match is None:
        raise ModelError(
            f"{name!r} is not a valid Hub id; type owner/name, or owner/name@revision."
        )
    with hub_errors(match["repo"], match["revision"]):
        from huggingface_hub import HfApi

        info = HfApi().model_info(
            match["repo"],
            revision=match["revision"],
            files_metadata=True,
            timeout=10,
            token=False if public else None,
        )
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
    config = info.config or {}
    if "config.json" not in sizes:
        raise ModelError(f"{name}: has no config.json, so it is not a transformers model.")
    if "auto_map" in config:
        raise ModelError(f"{name}: brings its own Python code, which this server never runs.")
    architectures = config.get("architectures") or []
    if not any(str(each).endswith(TASK) for each in architectures):
        raise ModelError(
            f"{name}: is not a text classifier ({', '.join(architectures) or 'no architecture'}); "
            "choose one whose page on the Hub says Text Classification."
        )
    top = [file for file in sizes if "/" not in file]  # what is in folders is not downloaded
    weights = [files for pattern in WEIGHT_PATTERNS if (files := _matching(top, [pattern]))]
    if not weights:
        raise ModelError(
            f"{name}: has no weights in a format that is safe to read; choose a model with "
            "model.safetensors."
        )
    if DECISION_FILE not in top:
        del weights[1:]  # the first are downloaded; a decision.json, not read here, can name any
    largest = max(sum(sizes[file] for file in files) for files in weights)
    gigabytes = (largest + sum(sizes[file] for file in _matching(top, SMALL_FILES))) / 1e9
    if gigabytes > most_gigabytes:
        raise ModelError(
            f"{name}: its files take {gigabytes:.1f} GB, and this server allows "
            f"{most_gigabytes:g} GB; choose a smaller model."
        )
    return gigabytes


def _matching(names: Iterable[str], patterns: Iterable[str]) -> list[str]:
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]
