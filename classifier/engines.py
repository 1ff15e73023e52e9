"""Windows of token ids → logits. Two engines with one method: ONNX Runtime, and transformers.

Each window runs alone, in both. int8 takes the scale of its activations from the whole batch, so a
text's score would depend on its companions; alone, it is the same to the last bit. On a CPU that
costs nothing, as there is no padding either (int8: 1–4 texts at a time are the quickest).
"""

import os
import pickle
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from classifier.errors import ModelError
from classifier.windows import TokenIds

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

Logits = NDArray[np.float32]


class Engine(Protocol):
    """A loaded model and its tokenizer. All methods can be called from several threads at once."""

    tokenizer: "Tokenizer"

    def logits(self, windows: Sequence[TokenIds]) -> Logits:
        """Give (windows, labels) from windows of any lengths, at least one of them."""


class OnnxEngine:
    """ONNX Runtime and tokenizers alone: neither torch nor transformers is imported.

    One window is given to a session that uses all cores for it. Several go to a session of one
    thread a window, as many at a time as there are cores; it is made when first needed, and takes
    30 MB more for 15–20 % more windows a second. Threads do not spin while they wait: that saves
    1 ms a window on an idle machine, but doubles the time of each on a busy one.
    """

    def __init__(self, weights: Path):
        from tokenizers import Tokenizer

        path = weights.with_name("tokenizer.json")
        if not path.is_file():
            raise ModelError(f"{path}: missing, and model.onnx needs it; copy the folder anew.")
        try:
            self.tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises nothing more special
            raise ModelError(f"{path}: not a tokenizer ({error}); copy it anew.") from error
        self._weights = weights
        self._cores = _cores()
        self._for_one = self._session(threads=self._cores)
        self._for_many: InferenceSession | None = None
        self._pool = ThreadPoolExecutor(self._cores, thread_name_prefix="onnx")
        self._lock = Lock()

    def logits(self, windows: Sequence[TokenIds]) -> Logits:
        """Give (windows, labels) from windows of any lengths, at least one of them."""
        if len(windows) == 1:
            return self._run(self._for_one, windows[0])
        with self._lock:
            if self._for_many is None:
                self._for_many = self._session(threads=1) if self._cores > 1 else self._for_one
        session = self._for_many
        return np.concatenate(list(self._pool.map(lambda ids: self._run(session, ids), windows)))

    def _run(self, session: "InferenceSession", ids: TokenIds) -> Logits:
        batch = ids[np.newaxis]
        feeds = {"input_ids": batch, "attention_mask": np.ones_like(batch)}
        return session.run(["logits"], feeds)[0]

    def _session(self, threads: int) -> "InferenceSession":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors; they are raised as well
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session = onnxruntime.InferenceSession(
                self._weights, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its own classes derive from nothing narrower
            raise ModelError(
                f"{self._weights}: cannot be loaded by ONNX Runtime ({error}); copy it anew."
            ) from error
        inputs = {value.name for value in session.get_inputs()}
        outputs = [value.name for value in session.get_outputs()]
        if inputs != {"input_ids", "attention_mask"} or "logits" not in outputs:
            raise ModelError(
                f"{self._weights}: maps {', '.join(sorted(inputs))} to {', '.join(outputs)}, but "
                "input_ids and attention_mask to logits is needed; export it with finetune."
            )
        return session


class TorchEngine:
    """Any other sequence classifier, through transformers.

    Safetensors where there are any; a .bin only by torch's weights-only reader, which refuses
    what would run code. No code from the folder is run. fp32: bf16 would be quicker on few CPUs
    only, and give other scores there than elsewhere.
    """

    def __init__(self, folder: Path):
        import safetensors
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        try:
            with _quiet_transformers():
                model, report = AutoModelForSequenceClassification.from_pretrained(
                    folder,
                    dtype="float32",
                    local_files_only=True,
                    trust_remote_code=False,
                    weights_only=True,
                    output_loading_info=True,
                )
                tokenizer = AutoTokenizer.from_pretrained(
                    folder, local_files_only=True, trust_remote_code=False
                )
        except (
            OSError,
            ValueError,
            KeyError,
            RuntimeError,
            ImportError,
            pickle.UnpicklingError,
            safetensors.SafetensorError,
        ) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            raise ModelError(
                f"{folder}: transformers cannot load this model ({reason}); "
                "choose another, or save it anew with save_pretrained."
            ) from error
        if report["missing_keys"]:
            # transformers fills them with random numbers
            raise ModelError(
                f"{folder}: the weights lack {', '.join(sorted(report['missing_keys'])[:3])}; this "
                "is no trained classifier but a base for one: fine-tune it with python -m finetune."
            )
        if not getattr(tokenizer, "is_fast", False):
            raise ModelError(
                f"{folder}: its tokenizer has no tokenizer.json form; choose another model."
            )
        self.tokenizer = tokenizer.backend_tokenizer
        self._model = model.eval()

    def logits(self, windows: Sequence[TokenIds]) -> Logits:
        """Give (windows, labels) from windows of any lengths, at least one of them."""
        import torch

        results = []
        with torch.inference_mode():
            for ids in windows:
                batch = torch.from_numpy(ids)[None]
                output = self._model(input_ids=batch, attention_mask=torch.ones_like(batch))
                results.append(output.logits.numpy())
        return np.concatenate(results)


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Keep its bars and reports off standard error: what is wrong becomes one sentence here."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux; a container may be given fewer than there are
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
