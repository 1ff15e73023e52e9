"""A pure-Python tokenizer of transformers, such as BERTweet's, for windows.py."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Encoding:
    """Token ids of a text, as tokenizers.Encoding has them."""

    ids: list[int]


class SlowTokenizer:
    """The few methods of tokenizers.Tokenizer that windows.py calls. One thread at a time."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase"):
        self._tokenizer = tokenizer
        self._lock = threading.Lock()
        tokenizer.model_max_length = 10**30  # else it warns about each text that needs windows

    def no_truncation(self) -> None:
        """Do nothing: encode() never truncates."""

    def no_padding(self) -> None:
        """Do nothing: encode() never pads."""

    def encode(self, text: str, add_special_tokens: bool = True) -> Encoding:
        """A text's token ids."""
        with self._lock:
            return Encoding(self._tokenizer.encode(text, add_special_tokens=add_special_tokens))

    def encode_batch_fast(
        self, texts: Sequence[str], add_special_tokens: bool = True
    ) -> list[Encoding]:
        """The token ids of several texts."""
        return [self.encode(text, add_special_tokens) for text in texts]
