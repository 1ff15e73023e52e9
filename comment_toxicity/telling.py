"""The few words that decide a label's score: without them it falls.

Occlusion, as in explain.py, for a person who wants one sentence. What is left out is a word and its
repetitions; a further word is added while the score stays high, as two insults hide each other.
Function words and punctuation are never named: leaving “the” out makes a text odd, not milder.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from comment_toxicity.explain import PASSAGE_TOKENS, passage_of
from comment_toxicity.text import is_blank, sentences, words

if TYPE_CHECKING:
    from comment_toxicity.classifier import Classifier

Span = tuple[int, int]

CANDIDATES = 40  # distinct words that are tried; each takes one scoring a round
TRIED_AGAIN = 15  # candidates of each further round
NAMED = MARKED = 5
REPEATED = 3  # a word that occurs more often is marked only when it is named
LEAST_FALL = 0.03  # of the score; a word that changes less is not named
SHARE_OF_LARGEST = 0.25  # a marked word has at least this much of the largest effect
PHRASES = (2, 3, 4, 5, 6, 8)  # words of a phrase that is left out where no word decides
PHRASED_WORDS = 60  # of the text; phrases of longer ones are not tried
PHRASE_GAP = 2  # function words between two marked words that become one phrase: “piece of shit”

EDGES = " \t\r\n.,;:!?…\"'“”„‘’«»()[]{}*_~-–—"
TELLS = re.compile(r"[^\W_]|[\u2600-\u27bf\U0001f000-\U0001faff]")  # a letter, a digit or an emoji
FUNCTION_WORDS = frozenset(
    """
    a about above after again all also am an and another any are as at be because been before being
    but by can could did do does doing done down each either else etc even ever every for from get
    gets go goes going got had has have having he her here hers herself him himself his how i i'd
    i'll i'm i've if in into is isn't it it's its itself just let let's like many may me might mine
    more most much must my myself no nor not now of off on once one only onto or other our ours out
    over own per quite rather really same shall she should since so some such than that that's the
    their theirs them themselves then there these they they're this those though through to too
    under until up upon us very was we we're well were what when where whether which while who whom
    whose why will with within without would yet you you'd you'll you're you've your yours yourself
    """.split()  # noqa: SIM905 - a list literal would be 200 lines
)


@dataclass(frozen=True)
class Telling:
    """The words that decide one label's score of a text.

    text: what was looked at: the whole text, or its highest-scoring passage.
    score: of that text; without: of the text without all named words, None when nothing is left.
    named: the words as they are written, the most telling first; may be empty.
    marks: start, end and strength (above 0 to 1) of what is worth marking, in text order: the named
        words with their repetitions, and further ones that raise the score.
    """

    label: str
    text: str
    whole: bool
    score: float
    without: float | None
    named: list[str]
    marks: list[tuple[int, int, float]]


def telling_words(
    classifier: "Classifier", text: str, label: str, threshold: float | None = None
) -> Telling:
    """Find the words without which the label's score falls below its threshold.

    threshold: None, or one that the score does not reach, stands for half of the score. Of a very
    long text, the first MOST_TOKENS count. A blank text names no words.
    """
    column = classifier.labels.index(label)
    passage = passage_of(classifier, classifier.beginning(text), column)
    passage = classifier.beginning(passage, PASSAGE_TOKENS)
    candidates = _candidates(classifier, passage, column)

    def scores(texts: Sequence[str]) -> list[float]:
        return [float(row[column]) for row in classifier.score(texts)]

    [score] = scores([passage])
    goal = threshold if threshold is not None and score >= threshold else score / 2
    chosen: list[str] = []
    falls = [score]  # the score after each round
    effects: dict[str, float] = {}
    rest = list(candidates)
    while rest and len(chosen) < NAMED and falls[-1] >= goal:
        texts = [_without(passage, candidates, [*chosen, word]) for word in rest]
        after = [0.0 if is_blank(text) else s for text, s in zip(texts, scores(texts), strict=True)]
        if not chosen:
            effects = {word: score - left for word, left in zip(rest, after, strict=True)}
        lowest = int(np.argmin(after))
        chosen.append(rest[lowest])
        falls.append(after[lowest])
        rest = [
            word for word in sorted(rest, key=lambda word: -effects[word]) if word not in chosen
        ]
        rest = rest[:TRIED_AGAIN]
    # Words after the last that made a difference are noise.
    while chosen and falls[-2] - falls[-1] < LEAST_FALL:
        chosen.pop()
        falls.pop()
    if not chosen and score >= goal and (phrase := _phrase(passage, goal, scores)):
        (start, end), left = phrase
        found = passage[start:end]
        return Telling(
            label,
            passage,
            passage == text,
            score,
            left,
            [" ".join(found.split())],
            [(start, end, 1.0)],
        )
    nothing_left = is_blank(_without(passage, candidates, chosen))
    marks, written = _marks(passage, candidates, chosen, effects)
    without = None if nothing_left else falls[-1]
    return Telling(label, passage, passage == text, score, without, written, marks)


def _candidates(classifier: "Classifier", text: str, column: int) -> dict[str, list[Span]]:
    """Where each word is that could be telling, by the word in lower case.

    Of a text with more than CANDIDATES of them, those of the sentences with the highest scores.
    """
    found = _content_words(text, 0)
    if len(found) <= CANDIDATES:
        return found
    spans = sentences(text)
    if len(spans) > 1:
        rates = classifier.score([text[start:end] for start, end in spans])[:, column]
        spans = [spans[index] for index in np.argsort(-rates, kind="stable")]
    first = [word for start, end in spans for word in _content_words(text[start:end], start)]
    return {word: found[word] for word in list(dict.fromkeys(first))[:CANDIDATES]}


def _content_words(text: str, offset: int) -> dict[str, list[Span]]:
    found: dict[str, list[Span]] = {}
    for start, end in words(text):
        word = text[start:end]
        start += len(word) - len(word.lstrip(EDGES))
        word = word.strip(EDGES)
        key = word.lower().replace("’", "'")
        if TELLS.search(word) and key not in FUNCTION_WORDS:
            found.setdefault(key, []).append((offset + start, offset + start + len(word)))
    return found


def _without(text: str, candidates: dict[str, list[Span]], left_out: Sequence[str]) -> str:
    """The text without some words, and without the white space before each."""
    kept, end = [], 0
    for start, stop in sorted(span for word in left_out for span in candidates[word]):
        kept.append(text[end:start].rstrip())
        end = stop
    return "".join([*kept, text[end:]])


def _phrase(
    text: str, goal: float, scores: Callable[[Sequence[str]], list[float]]
) -> tuple[Span, float] | None:
    """The shortest run of words without which the score is below the goal, and that score.

    For what no word decides: in “I will break your arm”, the small words threaten.
    """
    spans = words(text)
    for length in PHRASES if len(spans) <= PHRASED_WORDS else ():
        runs = [
            (start, end)
            for (start, _), (_, end) in zip(spans, spans[length - 1 :], strict=False)
            if end - start < len(text.strip()) and _content_words(text[start:end], 0)
        ]
        if not runs:
            return None
        left = scores([text[:start] + text[end:] for start, end in runs])
        lowest = int(np.argmin(left))
        if left[lowest] < goal:
            start, end = runs[lowest]
            return (start, start + len(text[start:end].rstrip(EDGES))), left[lowest]
    return None


def _marks(
    text: str,
    candidates: dict[str, list[Span]],
    chosen: Sequence[str],
    effects: dict[str, float],
) -> tuple[list[tuple[int, int, float]], list[str]]:
    """What to mark, and how the chosen words are written; neighbours become one phrase."""
    largest = max([*effects.values(), LEAST_FALL])
    least = max(LEAST_FALL, SHARE_OF_LARGEST * largest)
    others = sorted(effects, key=lambda word: -effects[word])
    others = [
        word
        for word in others
        if word not in chosen and effects[word] >= least and len(candidates[word]) <= REPEATED
    ]
    shown = [*chosen, *others[: MARKED - len(chosen)]]
    strengths = {word: min(1.0, max(effects[word], 0) / largest) for word in shown}
    strengths |= dict.fromkeys(chosen, 1.0)
    marks: list[tuple[int, int, float]] = []
    phrases: dict[str, str] = {}  # by each word in it
    inside: list[str] = []  # the words of the last mark
    spans = sorted((*span, key) for key in shown for span in candidates[key])
    for start, end, word in spans:
        first, strength = start, strengths[word]
        if marks and word not in inside and _one_phrase(text[marks[-1][1] : start]):
            first, _, before = marks.pop()
            strength = max(before, strength)
            inside.append(word)
        else:
            inside = [word]
        marks.append((first, end, strength))
        for key in inside:
            if candidates[key][0][0] >= first:  # its first occurrence
                phrases[key] = " ".join(text[first:end].split())
    return marks, list(dict.fromkeys(phrases[word] for word in chosen))


def _one_phrase(between: str) -> bool:
    """Whether what is between two words holds them together: space and few function words."""
    inner = between.split()
    return len(inner) <= PHRASE_GAP and all(word.lower() in FUNCTION_WORDS for word in inner)
