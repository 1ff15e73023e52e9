"""Windows of token ids → logits. Two engines with one method: ONNX Runtime, and transformers.

Each window runs alone, in both. int8 takes the scale of its activations from the whole batch, so a
text's score would depend on the rest of its batch; alone, it is the same to the last bit. On a CPU
that costs nothing, as there is no padding either (int8: 1–4 texts at a time are the fastest).
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from comment_toxicity.cpu import cores, keep_torch_to_cores
from comment_toxicity.errors import ModelError
from comment_toxicity.extras import needed_for
from comment_toxicity.slow_tokenizer import SlowTokenizer
from comment_toxicity.windows import TokenIds

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# ONNX Runtime's official builds keep an id of this machine in ~/.cache/Microsoft and send events to
# Microsoft, unless this is set before the first import (see Privacy.md in its package).
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

Logits = NDArray[np.float32]
Between = Callable[[], None] | None
"""Called between windows; what it raises ends the work."""

# One call queues this many windows per core at a time: a long text, or an explanation of one, keeps
# all cores busy, and another caller's comment waits for these and not for all of them.
QUEUED_PER_CORE = 4


class Engine(Protocol):
    """A loaded model and its tokenizer. Its methods are thread-safe."""

    tokenizer: "Tokenizer"

    def logits(self, windows: Sequence[TokenIds], between: Between = None) -> Logits:
        """Score one window or more, of any lengths: (windows, labels)."""


class OnnxEngine:
    """ONNX Runtime and tokenizers alone: neither torch nor transformers is imported.

    One thread per window, as many windows at a time as there are cores. Measured on two cores,
    MiniLM int8, 72 and 128 tokens: a window takes 3.0 and 5.6 ms, and 31,000 tokens/s in bulk. Two
    threads per window: 2.8 and 4.7 ms, but 3.5 and 6.1 beside another busy process, and 30,000
    tokens/s; with spinning waits, 2.4 and 4.1 ms, or 7 and 10 when busy, and 25,000 tokens/s. A
    session of each kind would take 30 MB more.
    """

    def __init__(self, weights: Path):
        import onnxruntime
        from tokenizers import Tokenizer

        path = weights.with_name("tokenizer.json")
        if not path.is_file():
            raise ModelError(f"{path}: missing, and model.onnx needs it; copy the folder again.")
        try:
            self.tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises nothing more special
            raise ModelError(f"{path}: not a tokenizer ({error}); copy it again.") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4  # errors are raised as well
        try:
            self._session = onnxruntime.InferenceSession(
                weights, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its own classes have no narrower base
            raise ModelError(
                f"{weights}: ONNX Runtime cannot load it ({error}); copy it again."
            ) from error
        inputs = {value.name for value in self._session.get_inputs()}
        outputs = [value.name for value in self._session.get_outputs()]
        if inputs != {"input_ids", "attention_mask"} or "logits" not in outputs:
            raise ModelError(
                f"{weights}: maps {', '.join(sorted(inputs))} to {', '.join(outputs)}, but "
                "it has to map input_ids and attention_mask to logits; export it with finetune."
            )
        self._weights = weights
        self._start_pool()

    def logits(self, windows: Sequence[TokenIds], between: Between = None) -> Logits:
        """Score one window or more, of any lengths: (windows, labels)."""
        if self._process != os.getpid():  # a fork inherits the pool, but none of its threads
            self._start_pool()
        if len(windows) == 1:
            return self._run(windows[0])
        return np.concatenate(list(self._in_order(windows, between)))

    def _start_pool(self) -> None:
        self._pool = ThreadPoolExecutor(cores(), thread_name_prefix="onnx")
        self._queue_length = QUEUED_PER_CORE * cores()
        self._process = os.getpid()

    def _in_order(self, windows: Sequence[TokenIds], between: Between) -> Iterator[Logits]:
        queue: deque[Future[Logits]] = deque()
        try:
            for ids in windows:
                if between:
                    between()
                if len(queue) == self._queue_length:
                    yield queue.popleft().result()
                queue.append(self._pool.submit(self._run, ids))
            while queue:
                yield queue.popleft().result()
        finally:  # after an error, the rest is not needed
            for waiting in queue:
                waiting.cancel()

    def _run(self, ids: TokenIds) -> Logits:
        batch = ids[np.newaxis]
        feeds = {"input_ids": batch, "attention_mask": np.ones_like(batch)}
        try:
            return self._session.run(["logits"], feeds)[0]
        except Exception as error:
            raise _cannot_score(self._weights, error) from error


class TorchEngine:
    """Any other sequence classifier, through transformers.

    Safetensors if there are any; a .bin only through torch's weights-only reader, which refuses
    anything that would run code. No code from the folder is run.

    fp32, so that scores are those the authors published, on every machine. bf16 would take 35
    instead of 91 ms per comment (bert-base, 72 tokens, two cores with a bf16 unit), and change
    probabilities by up to 0.004.
    """

    def __init__(self, folder: Path):
        with needed_for("This model", "torch transformers", ModelError):
            import torch  # noqa: F401
            from transformers import AutoModelForSequenceClassification, AutoTokenizer

        keep_torch_to_cores()
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
        except Exception as error:  # a broken folder makes it raise whatever its parts do
            reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            raise ModelError(
                f"{folder}: transformers cannot load this model ({reason}); "
                "choose another, or save it again with save_pretrained."
            ) from error
        if report["missing_keys"]:
            # transformers fills them with random numbers
            raise ModelError(
                f"{folder}: the weights lack {', '.join(sorted(report['missing_keys'])[:3])}; this "
                "is a base model, not a trained classifier: fine-tune it with python -m finetune."
            )
        fast = getattr(tokenizer, "is_fast", False)
        backend = tokenizer.backend_tokenizer if fast else SlowTokenizer(tokenizer)
        self.tokenizer = cast("Tokenizer", backend)
        self._model = model.eval()
        self._folder = folder

    def logits(self, windows: Sequence[TokenIds], between: Between = None) -> Logits:
        """Score one window or more, of any lengths: (windows, labels)."""
        import torch

        results = []
        with torch.inference_mode():
            for ids in windows:
                if between:
                    between()
                batch = torch.from_numpy(ids)[None]
                try:
                    output = self._model(input_ids=batch, attention_mask=torch.ones_like(batch))
                except (IndexError, RuntimeError) as error:
                    raise _cannot_score(self._folder, error) from error
                results.append(output.logits.numpy())
        return np.concatenate(results)


def _cannot_score(where: Path, error: Exception) -> ModelError:
    """Why windows cannot be scored; the usual cause is a token beyond the vocabulary."""
    reason = next(iter(str(error).strip().splitlines()), repr(error))
    return ModelError(
        f"{where}: cannot score what its tokenizer returned ({reason}); if that is another "
        "model's, copy the whole folder again."
    )


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Keep its bars and reports off standard error: errors become one sentence here."""
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
