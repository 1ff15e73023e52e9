"""Policies: what communities that share one model decide differently. A TOML file says which.

    default = "forum"                          # for requests that name none; without it, no policy

    [policies.forum]
    never = ["scunthorpe"]                     # taken out of a comment before it is scored
    keys = ["sha256:2c26b46b68ff…"]            # API keys whose requests get this policy

    [policies.forum.thresholds]                # labels that are left out keep the model's
    toxic = 0.6

    [policies.forum.always]                    # flag a comment with such a word, whatever its score
    insult = ["numpty"]

Words are compared as the model's tokenizer reads them: in any case, with lookalike letters folded.
"""

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comment_toxicity.classifier import Classifier
from comment_toxicity.decision import reaches
from comment_toxicity.disk import shortest_float
from comment_toxicity.errors import SettingsError
from comment_toxicity.text import without_lone_surrogates

MAX_FILE = 1_000_000  # bytes
MAX_POLICIES = 100
MAX_NAME = 100  # characters
MAX_WORDS = 1000  # of a policy, always and never together
MAX_WORD = 60  # characters
MAX_PIECES = 8  # words and signs in one entry
MAX_KEYS = 1000  # of a policy
DIGEST = re.compile("sha256:([0-9a-fA-F]{64})")
# Plain English needs no folding but lower case: without the tokenizer, a tenth of the time.
PLAIN = re.compile(r"""[A-Za-z0-9 \n.,!?'"():;-]*""")
PLAIN_PIECES = re.compile(r"[A-Za-z0-9]+|[^\sA-Za-z0-9]")
# A tokenizer that reads this otherwise, such as sh1t as shit, reads all texts.
PROBE = """ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789 sh1t 4ss h3ll0 b00bs l33t a5 f.u.c.k f-u s--t it's
'q' "Yes," (he said): no; well - 3,000!? ... :-) ;) a1b2 x's' e.g. (b) WTF!!! I'm 1st 2nd soooo"""
NOTHING_LEFT = "."
"""Scored in place of a comment of which nothing is left without the words that never count."""


@dataclass(frozen=True)
class Policy:
    """One community's rules.

    thresholds: label → the score from which it is flagged; labels left out keep the model's.
    always: label → words that flag it. never: words that are taken out before scoring.
    keys: SHA-256 digests of the API keys that have this policy.
    """

    name: str
    thresholds: Mapping[str, float] = field(default_factory=dict)
    always: Mapping[str, Sequence[str]] = field(default_factory=dict)
    never: Sequence[str] = ()
    keys: frozenset[bytes] = frozenset()


@dataclass(frozen=True)
class Policies:
    """The policies of a file, by name. default: the name of one; empty: none."""

    path: str
    named: Mapping[str, Policy]
    default: str = ""

    @classmethod
    def parse(
        cls, path: str, text: str, labels: Sequence[str], single_label: bool = False
    ) -> "Policies":
        """Parse what a policy file holds, for a model with these labels.

        Raises SettingsError, which names the file and the key.
        """
        return _Reader(path, labels, single_label).policies(text)

    def of_keys(self) -> dict[bytes, str]:
        """The names of the policies that keys have, by the keys' digests."""
        return {key: name for name, policy in self.named.items() for key in policy.keys}


@dataclass(frozen=True)
class Treated:
    """A comment as a policy lets it be scored.

    text: without the words that never count. always: the labels that its words flag.
    removed: start and end of each span that was taken out of the original, ascending.
    """

    text: str
    always: frozenset[str] = frozenset()
    removed: Sequence[tuple[int, int]] = ()

    def original(self, position: int) -> int:
        """Where a position in `text` is in the original; spans before it count."""
        for start, end in self.removed:
            if start > position:
                break
            position += end - start
        return position


class Rules:
    """A policy for one model: its words are folded as that model's tokenizer folds text."""

    def __init__(self, policy: Policy, classifier: Classifier):
        self.policy = policy
        self._classifier = classifier
        self._never = self._folded(policy.never)
        self._always = {label: self._folded(words) for label, words in policy.always.items()}
        entries = self._never.union(*self._always.values())
        self.has_words = bool(entries)
        self._firsts = {entry[0] for entry in entries}
        self._plain = classifier.pieces(PROBE) == _plain_pieces(PROBE) if entries else False

    @property
    def thresholds(self) -> dict[str, float]:
        """The score from which each label is flagged, in label order."""
        own = self.policy.thresholds
        return {
            label: own.get(label, value) for label, value in self._classifier.thresholds.items()
        }

    def treat(self, text: str) -> Treated:
        """Take out the words that never count, and look for those that always do."""
        if not self.has_words:
            return Treated(text)
        text = without_lone_surrogates(text)
        plain = self._plain and PLAIN.fullmatch(text)
        pieces = _plain_pieces(text) if plain else self._classifier.pieces(text)
        words = [piece.casefold() for piece, _, _ in pieces]
        if self._firsts.isdisjoint(words):
            return Treated(text)
        removed: list[tuple[int, int]] = []
        for first, last in _found(words, self._never):
            start, end = pieces[first][1], pieces[last - 1][2]
            if removed and start < removed[-1][1]:  # of one character that is read as several
                start = removed[-1][1]
            if start < end:
                removed.append((start, end))
            words[first:last] = [""] * (last - first)
        always = frozenset(
            label for label, entries in self._always.items() if any(_found(words, entries))
        )
        if not removed:
            return Treated(text, always)
        left, kept = 0, []
        for start, end in removed:
            kept.append(text[left:start])
            left = end
        kept.append(text[left:])
        remaining = "".join(kept)
        if not remaining.strip():
            return Treated(NOTHING_LEFT, always, [(0, max(0, len(text) - len(NOTHING_LEFT)))])
        return Treated(remaining, always, removed)

    def flags(
        self,
        scores: NDArray[np.floating],
        always: frozenset[str] = frozenset(),
        flagged: Sequence[str] | None = None,
    ) -> list[str]:
        """The labels of a comment's scores, (labels,), and of its words, in label order.

        flagged: what the model flags, by the thresholds of the comment's language; None: by its
        general ones. Of labels without a threshold of the policy's own, that counts.
        """
        if flagged is None:
            flagged = self._classifier.flags(scores)
        own = self.policy.thresholds
        return [
            label
            for label, score in zip(self._classifier.labels, scores, strict=True)
            if label in always
            or (bool(reaches(score, own[label])) if label in own else label in flagged)
        ]

    def _folded(self, words: Sequence[str]) -> frozenset[tuple[str, ...]]:
        folded = (self._classifier.pieces(word) for word in words)
        entries = (tuple(piece.casefold() for piece, _, _ in pieces) for pieces in folded)
        return frozenset(entry for entry in entries if entry)


class Rulebook:
    """The policies of a file for one model. named: by their names."""

    def __init__(self, policies: Policies, classifier: Classifier):
        self.named = {name: Rules(policy, classifier) for name, policy in policies.named.items()}
        self._of_keys = policies.of_keys()
        self._default = policies.default

    def usual(self, key: bytes) -> Rules | None:
        """The rules of requests that name none: those of their API key's digest, or the default."""
        return self.named.get(self._of_keys.get(key, self._default))


def read_text(path: str) -> str:
    """Read a policy file as text. Raises SettingsError."""
    try:
        with Path(path).open("rb") as stream:
            content = stream.read(MAX_FILE + 1)
        if len(content) > MAX_FILE:
            raise SettingsError(f"{path}: more than {MAX_FILE:,} bytes; shorten its lists.")
        return content.decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SettingsError(f"{path}: cannot be read ({reason}); check --policy.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: not UTF-8; save it as UTF-8.") from None


def snippet(thresholds: Mapping[str, float], name: str = "mine") -> str:
    """The lines of a policy file that set these thresholds, to paste."""
    lines = [
        f"{_key(label)} = {min(1.0, shortest_float(np.float32(value)))!r}"
        for label, value in thresholds.items()
    ]
    return "\n".join([f"[policies.{_key(name)}.thresholds]", *lines])


def _key(name: str) -> str:
    if re.fullmatch("[A-Za-z0-9_-]+", name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", "_", escaped) + '"'


def _plain_pieces(text: str) -> list[tuple[str, int, int]]:
    return [(match[0].lower(), *match.span()) for match in PLAIN_PIECES.finditer(text)]


def _found(words: Sequence[str], entries: frozenset[tuple[str, ...]]) -> "list[tuple[int, int]]":
    """Where entries are among the words: first and last + 1, the longest of each, none overlaps."""
    lengths = sorted({len(entry) for entry in entries}, reverse=True)
    found, position = [], 0
    while position < len(words):
        for length in lengths:
            following = tuple(words[position : position + length])
            if len(following) == length and following in entries:
                found.append((position, position + length))
                position += length
                break
        else:
            position += 1
    return found


class _Reader:
    """Checks what a policy file holds. Every error names the file and the key."""

    def __init__(self, path: str, labels: Sequence[str], single_label: bool):
        self._path = path
        self._labels = labels
        self._single_label = single_label

    def policies(self, text: str) -> Policies:
        try:
            content = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise SettingsError(f"{self._path}: not TOML ({reason}).") from None
        self._known("", content, ("default", "policies"))
        tables = self._table("policies", content.get("policies", {}))
        if not tables:
            raise self._error("policies", "has no policy", "write a table [policies.NAME]")
        if len(tables) > MAX_POLICIES:
            raise self._error("policies", f"has more than {MAX_POLICIES}", "write fewer")
        named = {name: self._policy(name, table) for name, table in tables.items()}
        default = content.get("default", "")
        if not isinstance(default, str) or (default and default not in named):
            raise self._error("default", f"is {_short(default)}", "name one of the policies")
        policies = Policies(self._path, named, default)
        if len(policies.of_keys()) < sum(len(policy.keys) for policy in named.values()):
            raise self._error("policies", "give one key to two of them", "give it to one")
        return policies

    def _policy(self, name: str, table: Any) -> Policy:
        if not 1 <= len(name) <= MAX_NAME or not name.isprintable() or " " in name:
            raise self._error(
                f"policies.{_short(name)}",
                "is not a name",
                f"use up to {MAX_NAME} printable characters without spaces",
            )
        where = f"policies.{name}"
        table = self._table(where, table)
        self._known(f"{where}.", table, ("thresholds", "always", "never", "keys"))
        always_table = self._table(f"{where}.always", table.get("always", {}))
        always = {
            label: self._words(f"{where}.always.{label}", words)
            for label, words in self._by_label(f"{where}.always", always_table).items()
        }
        never = self._words(f"{where}.never", table.get("never", []))
        if sum(map(len, always.values())) + len(never) > MAX_WORDS:
            raise self._error(where, f"has more than {MAX_WORDS:,} words", "write fewer")
        both = {word.casefold() for word in never} & {
            word.casefold() for words in always.values() for word in words
        }
        if both:
            raise self._error(
                f"{where}.never", f"has {_short(min(both))}, and so has always", "choose one"
            )
        thresholds = self._table(f"{where}.thresholds", table.get("thresholds", {}))
        if thresholds and self._single_label:
            raise self._error(
                f"{where}.thresholds",
                "cannot be used: this model flags the likeliest label",
                "leave it out",
            )
        return Policy(
            name,
            {
                label: self._threshold(f"{where}.thresholds.{label}", value)
                for label, value in self._by_label(f"{where}.thresholds", thresholds).items()
            },
            always,
            never,
            self._keys(f"{where}.keys", table.get("keys", [])),
        )

    def _threshold(self, where: str, value: Any) -> float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value <= 1:
            raise self._error(where, f"is {_short(value)}", "write a number from 0 to 1")
        return float(value)

    def _words(self, where: str, words: Any) -> tuple[str, ...]:
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise self._error(where, "is not a list of words", 'write it as ["one", "two"]')
        if len(words) > MAX_WORDS:
            raise self._error(where, f"has more than {MAX_WORDS:,} words", "write fewer")
        for word in words:
            if not word.strip():
                raise self._error(where, "has a blank word", "delete it")
            if len(word) > MAX_WORD or len(re.findall(r"\w+|[^\w\s]", word)) > MAX_PIECES:
                raise self._error(
                    where,
                    f"has {_short(word)}",
                    f"write at most {MAX_WORD} characters, {MAX_PIECES} words and signs",
                )
        return tuple(words)

    def _keys(self, where: str, keys: Any) -> frozenset[bytes]:
        if not isinstance(keys, list) or not all(isinstance(key, str) and key for key in keys):
            raise self._error(where, "is not a list of API keys", 'write it as ["sha256:…"]')
        if len(keys) > MAX_KEYS:
            raise self._error(where, f"has more than {MAX_KEYS:,} keys", "write fewer")
        return frozenset(map(_digest, keys))

    def _by_label(self, where: str, table: Mapping[str, Any]) -> dict[str, Any]:
        for label in table:
            if label not in self._labels:
                raise self._error(
                    f"{where}.{_short(label)}",
                    "is not a label of the model",
                    f"it has {', '.join(self._labels)}",
                )
        return dict(table)

    def _table(self, where: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._error(where, "is not a table", f"write it as [{where}]")
        return value

    def _known(self, before: str, table: Mapping[str, Any], keys: Sequence[str]) -> None:
        for key in table:
            if key not in keys:
                raise self._error(
                    f"{before}{_short(key)}", "is unknown", f"there are {', '.join(keys)}"
                )

    def _error(self, where: str, what: str, do: str) -> SettingsError:
        return SettingsError(f"{self._path}: {where} {what}; {do}.")


def _digest(key: str) -> bytes:
    written = DIGEST.fullmatch(key)
    return bytes.fromhex(written[1]) if written else hashlib.sha256(key.encode()).digest()


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    text = "".join(character if character.isprintable() else "�" for character in text)
    return text if len(text) <= MAX_NAME else text[:MAX_NAME] + "…"
