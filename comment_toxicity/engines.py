"""Windows of token ids → logits. Two engines with one method: ONNX Runtime, and transformers.

On a CPU each window runs alone, in both. int8 takes the scale of its activations from the whole
batch, so a text's score would depend on the rest of its batch; alone, it is the same to the last
bit. There that costs nothing, as there is no padding either (int8: 1–4 texts at a time are the
fastest). A GPU takes windows of similar lengths together, in fp32.
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

from comment_toxicity.cpu import checked_threads, has_vnni, keep_torch_to_cores, torch_device
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

# One call queues this many windows per thread at a time: a long text, or an explanation of one,
# keeps all threads busy, and another caller's comment waits for these and not for all of them.
QUEUED_PER_THREAD = 4


TOKENS_AT_A_TIME = {"cuda": 16_384, "mps": 8_192}
"""The tokens, with padding, that a GPU gets at a time. On a CPU, each window runs alone."""


class Engine(Protocol):
    """A loaded model and its tokenizer. Its methods are thread-safe."""

    tokenizer: "Tokenizer"

    def logits(self, windows: Sequence[TokenIds], between: Between = None) -> Logits:
        """Score one window or more, of any lengths: (windows, labels)."""


class OnnxEngine:
    """ONNX Runtime and tokenizers alone: neither torch nor transformers is imported.

    threads: windows at a time (default: one per core), with one thread each. Measured on two cores,
    MiniLM int8, 72 and 128 tokens: a window takes 3.0 and 5.6 ms, and 31,000 tokens/s in bulk. Two
    threads per window: 2.8 and 4.7 ms, but 3.5 and 6.1 beside another busy process, and 30,000
    tokens/s; with spinning waits, 2.4 and 4.1 ms, or 7 and 10 when busy, and 25,000 tokens/s. A
    session of each kind would take 30 MB more.
    """

    def __init__(self, weights: Path, threads: int | None = None):
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
        if not has_vnni():
            # There int8 products overflow and move scores by up to 0.17; this keeps them equal on
            # all x86 CPUs, for a tenth of the speed. With VNNI it would cost 40 %.
            options.add_session_config_entry("session.x64quantprecision", "1")
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
        self._threads = checked_threads(threads)
        self._start_pool()

    def logits(self, windows: Sequence[TokenIds], between: Between = None) -> Logits:
        """Score one window or more, of any lengths: (windows, labels)."""
        if self._process != os.getpid():  # a fork inherits the pool, but none of its threads
            self._start_pool()
        if len(windows) == 1:
            return self._run(windows[0])
        return np.concatenate(list(self._in_order(windows, between)))

    def _start_pool(self) -> None:
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="onnx")
        self._queue_length = QUEUED_PER_THREAD * self._threads
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

    On a GPU, windows are padded to the longest of their batch; a score depends on the rest of
    its batch by rounding alone, which the tests bound by 0.00001.

    threads: of torch, for the whole process. device: as load_classifier() has it.
    """

    def __init__(self, folder: Path, threads: int | None = None, device: str = "auto"):
        with needed_for("This model", "torch transformers", ModelError):
            import torch  # noqa: F401
            from transformers import AutoModelForSequenceClassification, AutoTokenizer

        keep_torch_to_cores(threads)
        self._device = torch_device(device)
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
        self._model = model.eval().to(self._device)
        self._folder = folder
        # The model's own padding: RoBERTa counts positions, GPT finds the last token, by it. Models
        # that are padded on the left, such as XLNet, read the last position, so they take none.
        self._padding = model.config.pad_token_id if tokenizer.padding_side == "right" else None
        self._tokens = 0 if self._padding is None else TOKENS_AT_A_TIME.get(self._device, 0)

    def logits(self, windows: Sequence[TokenIds], between: Between = None) -> Logits:
        """Score one window or more, of any lengths: (windows, labels)."""
        import torch

        logits: list[Logits | None] = [None] * len(windows)
        with torch.inference_mode():
            for indices in batches_by_length(list(map(len, windows)), self._tokens):
                if between:
                    between()
                longest = max(len(windows[index]) for index in indices)
                ids = np.full((len(indices), longest), self._padding or 0)
                mask = np.zeros_like(ids)
                for row, index in enumerate(indices):
                    ids[row, : len(windows[index])] = windows[index]
                    mask[row, : len(windows[index])] = 1
                try:
                    output = self._model(
                        input_ids=torch.from_numpy(ids).to(self._device),
                        attention_mask=torch.from_numpy(mask).to(self._device),
                    )
                    rows = output.logits.cpu().numpy()
                except (IndexError, RuntimeError) as error:
                    raise _cannot_score(self._folder, error) from error
                for index, row_logits in zip(indices, rows, strict=True):
                    logits[index] = row_logits
        return np.stack(cast("list[Logits]", logits))


def batches_by_length(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """The indices of all windows, those of similar lengths together.

    most: the tokens of a batch, padded to its longest window; a longer window is alone. 0: all are
    alone, in their order.
    """
    batch: list[int] = []
    for index in np.argsort(lengths, kind="stable").tolist() if most else range(len(lengths)):
        if batch and lengths[index] * (len(batch) + 1) > most:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


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
