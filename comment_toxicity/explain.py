"""Which parts of a comment move a label's score: leave each out, and score the rest.

Occlusion (Zeiler and Fergus 2014), through Classifier.score itself: for any model, the effects are
differences between scores that the page could show. They show what the model looked at, not whether
it was right to.
"""

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from comment_toxicity.disk import shortest_float
from comment_toxicity.errors import DataError
from comment_toxicity.text import (
    is_blank,
    sentences,
    to_utf16,
    without_lone_surrogates,
    words,
)

if TYPE_CHECKING:
    from comment_toxicity.classifier import Classifier
    from comment_toxicity.routing import Models

PARTS_AT_MOST = 60  # each takes one scoring; longer texts are explained by sentence
PASSAGE = 2_000  # characters; of a longer text, the highest-scoring passage is explained
PASSAGE_TOKENS = 1_000  # English of so many characters has some 450
PASSAGES_AT_MOST = 2  # of one text, in which labels are explained

SENTENCE_AT_MOST = 300  # characters; longer ones, as in a text without full stops, are cut


@dataclass(frozen=True)
class Part:
    """text[start:end] of an explanation's text, and how far the score falls without it."""

    start: int
    end: int
    effect: float


@dataclass(frozen=True)
class Explanation:
    """What moves one label's score of a text.

    text: what was explained: the whole text, or its highest-scoring passage.
    score: of that text. unit: "word" or "sentence"; "part", if there are so many that neighbours
        are grouped.
    parts: in text order. An effect of 0.2 means that the score is 0.2 lower without the part; a
        negative one, that it is higher.
    offset: where the passage begins in the whole text.
    """

    label: str
    text: str
    whole: bool
    unit: str
    score: float
    parts: list[Part]
    offset: int = 0

    def strongest(self, least: float = 0.01, most: int = 10) -> list[Part]:
        """The parts that move the score by `least` or more, the strongest first."""
        moving = [part for part in self.parts if abs(part.effect) >= least]
        return sorted(moving, key=lambda part: -abs(part.effect))[:most]

    def located(
        self, whole: str, original: Callable[[int], int] = lambda position: position
    ) -> list[dict[str, Any]]:
        """The strongest parts: where they are, as the function has it, and their "effect"."""
        strongest = self.strongest()
        ordered = sorted(strongest, key=lambda part: part.start)
        spans = [(self.offset + part.start, self.offset + part.end) for part in ordered]
        places = dict(zip(ordered, located(whole, spans, original), strict=True))
        return [{**places[part], "effect": round(part.effect, 6)} for part in strongest]


def located(
    whole: str,
    spans: Sequence[tuple[int, int]],
    original: Callable[[int], int] = lambda position: position,
) -> list[dict[str, Any]]:
    """Where spans, ascending, are in the whole text.

    {"start": 11, "end": 16, "utf16": {"start": 11, "end": 16}} for each: first in code points, as
    Python counts, then in UTF-16 units, as JavaScript, Java and C# do.
    original: where a position of the explained text is in the whole one.
    """
    spans = [(original(start), original(end - 1) + 1) for start, end in spans]
    return [
        {"start": start, "end": end, "utf16": {"start": first, "end": last}}
        for (start, end), (first, last) in zip(spans, to_utf16(whole, spans), strict=True)
    ]


Explaining = Generator[list[str], NDArray[np.float32], dict[str, Explanation]]


def explain(classifier: "Classifier", text: str, label: str) -> Explanation | None:
    """Leave out each word (of a long text, each sentence), and see how the label's score changes.

    Of a very long text, the first MOST_TOKENS count. None if there is nothing to leave out: a blank
    text, or a single word.
    """
    return explain_labels(classifier, text, [label]).get(label)


def explain_labels(
    classifier: "Classifier", text: str, labels: Sequence[str]
) -> dict[str, Explanation]:
    """Return what explain() finds for several labels; most of them share their scorings."""
    work = explaining(classifier, classifier.beginning(text), labels)
    try:
        texts = next(work)
        while True:
            texts = work.send(classifier.score(texts))
    except StopIteration as done:
        return done.value


def explaining(classifier: "Classifier", text: str, labels: Sequence[str]) -> Explaining:
    """Explain labels without scoring: yield lists of texts, and be sent their (texts, labels).

    So a caller can score them as it scores others. A text of up to PASSAGE characters needs
    PARTS_AT_MOST + 1 scorings at most. Of a longer one, each passage needs one, and
    PASSAGES_AT_MOST so many more: those in which most labels score highest.
    """
    passages = passages_of(text)
    if not passages or not labels:
        return {}
    columns = {label: classifier.labels.index(label) for label in labels}
    highest = dict.fromkeys(labels, passages[0])
    if len(passages) > 1:
        scores = yield [text[begin:end] for begin, end in passages]
        ranked = scores[:, list(columns.values())]
        common = Counter(ranked.argmax(axis=0).tolist()).most_common(PASSAGES_AT_MOST)
        chosen = [index for index, _ in common]
        best = ranked[chosen].argmax(axis=0)
        highest = {
            label: passages[chosen[index]] for label, index in zip(labels, best, strict=True)
        }
    explanations = {}
    for begin, end in sorted(set(highest.values())):
        passage = classifier.beginning(text[begin:end], PASSAGE_TOKENS)
        unit, spans = _parts(passage)
        if len(spans) < 2:
            continue
        scores = yield [passage, *(passage[:start] + passage[stop:] for start, stop in spans)]
        for label in labels:
            if highest[label] != (begin, end):
                continue
            score, *without = map(float, scores[:, columns[label]])
            parts = [
                Part(start, stop, score - left)
                for (start, stop), left in zip(spans, without, strict=True)
            ]
            explanations[label] = Explanation(
                label, passage, passage == text, unit, score, parts, begin
            )
    return {label: explanations[label] for label in labels if label in explanations}


def explain_flags(models: "Classifier | Models", text: str) -> dict[str, Any]:
    """Score a text, and explain each label that is flagged: one JSON object.

    {"text": "…", "model": "toxic-minilm", "language": "de", "scores": {label: score, …},
     "thresholds": {label: threshold, …}, "flags": [label, …],
     "explanations": {label: {"text", "whole", "unit", "parts": [
         {"text", "start", "end", "utf16": {"start", "end"}, "effect"}, …]}, …}}

    parts: as Explanation.located() has them, the strongest first. A text of one word has no
    explanation. "language" is there where it is known and decides what model scores, or how;
    the thresholds are that language's. A very long text has one more key, "scored_characters": how
    many, from its start.
    DataError when the text is blank.
    """
    text = without_lone_surrogates(text)
    if is_blank(text):
        raise DataError("the text is blank: there is nothing to score.")
    [language] = models.languages([text])
    about = {"language": language} if language else {}
    classifier = models.in_language(language)  # its parts may look like another
    [scores], [characters] = classifier.score_beginnings([text])
    flags = classifier.flags(scores)
    cut = {"scored_characters": characters} if characters < len(text) else {}
    return {
        "text": text,
        **cut,
        "model": classifier.name,
        **about,
        "scores": dict(zip(classifier.labels, map(shortest_float, scores), strict=True)),
        "thresholds": classifier.thresholds,
        "flags": flags,
        "explanations": {
            label: {
                "text": explanation.text,
                "whole": explanation.whole,
                "unit": explanation.unit,
                "parts": [
                    {"text": text[part["start"] : part["end"]], **part}
                    for part in explanation.located(text)
                ],
            }
            for label, explanation in explain_labels(classifier, text, flags).items()
        },
    }


def report(explained: dict[str, Any]) -> str:
    """The result of explain_flags() as text for the terminal."""
    width = max(map(len, explained["scores"]))
    lines = [f"{'label':{width}}  score  threshold"]
    for label, score in explained["scores"].items():
        threshold = explained["thresholds"].get(label)
        marks = f"{threshold:9.3f}" if threshold is not None else f"{'–':>9}"
        flagged = "  flagged" if label in explained["flags"] else ""
        lines.append(f"{label:{width}}  {score:.3f}  {marks}{flagged}")
    if "scored_characters" in explained:
        lines.append(f"\nOnly the first {explained['scored_characters']:,} characters were scored.")
    for label, explanation in explained["explanations"].items():
        where = "" if explanation["whole"] else " (of the passage with the highest score)"
        lines.append(f"\n{label}: what each {explanation['unit']} adds to the score{where}")
        lines += [
            f"  {part['effect']:+.3f}  {' '.join(part['text'].split())}"
            for part in explanation["parts"]
        ]
    return "\n".join(lines)


def passage_of(classifier: "Classifier", text: str, column: int) -> str:
    """A short text as it is; of a long one, the run of sentences that scores highest."""
    passages = [text[begin:end] for begin, end in passages_of(text)]
    if len(passages) < 2:
        return passages[0] if passages else ""
    return passages[int(np.argmax(classifier.score(passages)[:, column]))]


def passages_of(text: str) -> list[tuple[int, int]]:
    """The spans of a text's passages: a short text is one, a long one is cut between sentences."""
    if len(text) <= PASSAGE:
        return [(0, len(text))]
    passages, begin, end = [], 0, 0
    for start, stop in _short_sentences(text):
        if stop - begin > PASSAGE:
            passages.append((begin, end))
            begin = start
        end = stop
    passages.append((begin, end))
    return [(begin, end) for begin, end in passages if text[begin:end].strip()]


def _parts(passage: str) -> tuple[str, list[tuple[int, int]]]:
    """What a passage's parts are, and their spans, at most PARTS_AT_MOST."""
    unit, spans = "word", words(passage)
    if len(spans) > PARTS_AT_MOST:
        shorter = list(_short_sentences(passage))
        if len(shorter) > 1:
            unit, spans = "sentence", shorter
    if len(spans) > PARTS_AT_MOST:
        firsts = [number * len(spans) // PARTS_AT_MOST for number in range(PARTS_AT_MOST)]
        ends = [*firsts[1:], len(spans)]
        unit = "part"
        spans = [
            (spans[first][0], spans[end - 1][1]) for first, end in zip(firsts, ends, strict=True)
        ]
    return unit, spans


def _short_sentences(text: str) -> Iterator[tuple[int, int]]:
    """The spans of sentences; those longer than SENTENCE_AT_MOST are cut."""
    for start, end in sentences(text):
        while end - start > SENTENCE_AT_MOST:
            cut = text.rfind(" ", start + 1, start + SENTENCE_AT_MOST)
            cut = cut if cut > 0 else start + SENTENCE_AT_MOST
            yield start, cut
            start = cut
        yield start, end
