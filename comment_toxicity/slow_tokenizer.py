"""A tokenizer of transformers that exists in Python only, such as BERTweet's, for windows.py."""

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
        tokenizer.model_max_length = 10**30  # else it warns of each text that needs windows

    def no_truncation(self) -> None:
        """Do nothing: encode() below cuts nothing."""

    def no_padding(self) -> None:
        """Do nothing: encode() below pads nothing."""

    def encode(self, text: str, add_special_tokens: bool = True) -> Encoding:
        """Give a text's token ids."""
        with self._lock:
            return Encoding(self._tokenizer.encode(text, add_special_tokens=add_special_tokens))

    def encode_batch_fast(
        self, texts: Sequence[str], add_special_tokens: bool = True
    ) -> list[Encoding]:
        """Give the token ids of several texts."""
        return [self.encode(text, add_special_tokens) for text in texts]
