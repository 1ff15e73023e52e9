"""Which parts of a comment move a label's score: leave each out, and score the rest.

Occlusion (Zeiler and Fergus 2014), through Classifier.score itself: for any model, the effects are
differences between scores that the page could show. They show what the model looked at, not whether
it was right to.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from comment_toxicity.disk import shortest_float
from comment_toxicity.errors import DataError
from comment_toxicity.text import is_blank, sentences, without_lone_surrogates, words

if TYPE_CHECKING:
    from comment_toxicity.classifier import Classifier

PARTS_AT_MOST = 60  # each takes one scoring; longer texts are explained by sentence
PASSAGE = 2_000  # characters; of a longer text, the highest-scoring passage is explained
PASSAGE_TOKENS = 1_000  # English of so many characters has some 450

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
    """

    label: str
    text: str
    whole: bool
    unit: str
    score: float
    parts: list[Part]

    def strongest(self, least: float = 0.01, most: int = 10) -> list[Part]:
        """The parts that move the score by `least` or more, the strongest first."""
        moving = [part for part in self.parts if abs(part.effect) >= least]
        return sorted(moving, key=lambda part: -abs(part.effect))[:most]


def explain(classifier: "Classifier", text: str, label: str) -> Explanation | None:
    """Leave out each word (of a long text, each sentence), and see how the label's score changes.

    Of a very long text, the first MOST_TOKENS count. None if there is nothing to leave out: a blank
    text, or a single word.
    """
    column = classifier.labels.index(label)
    passage = _passage(classifier, classifier.beginning(text), column)
    passage = classifier.beginning(passage, PASSAGE_TOKENS)
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
    if len(spans) < 2:
        return None
    remaining = [passage[:start] + passage[end:] for start, end in spans]
    score, *without = (float(row[column]) for row in classifier.score([passage, *remaining]))
    parts = [
        Part(start, end, score - left) for (start, end), left in zip(spans, without, strict=True)
    ]
    return Explanation(label, passage, passage == text, unit, score, parts)


def explain_flags(classifier: "Classifier", text: str) -> dict[str, Any]:
    """Score a text, and explain each label that is flagged: one JSON object.

    {"text": "…", "scores": {label: score, …}, "thresholds": {label: threshold, …},
     "flags": [label, …], "explanations": {label: {"text", "whole", "unit", "parts": [
         {"text", "start", "end", "effect"}, …]}, …}}

    parts: those that move the score most, the strongest first; start and end are positions in the
    explanation's text. A text of one word has no explanation. A very long text has one more key,
    "scored_characters": how many, from its start. DataError when the text is blank.
    """
    text = without_lone_surrogates(text)
    if is_blank(text):
        raise DataError("the text is blank: there is nothing to score.")
    [scores], [characters] = classifier.score_beginnings([text])
    flags = classifier.flags(scores)
    explanations = {label: explain(classifier, text, label) for label in flags}
    cut = {"scored_characters": characters} if characters < len(text) else {}
    return {
        "text": text,
        **cut,
        "scores": dict(zip(classifier.labels, map(shortest_float, scores), strict=True)),
        "thresholds": classifier.thresholds,
        "flags": flags,
        "explanations": {
            label: {
                "text": explanation.text,
                "whole": explanation.whole,
                "unit": explanation.unit,
                "parts": [
                    {
                        "text": explanation.text[part.start : part.end],
                        "start": part.start,
                        "end": part.end,
                        "effect": round(part.effect, 6),
                    }
                    for part in explanation.strongest()
                ],
            }
            for label, explanation in explanations.items()
            if explanation is not None
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


def _passage(classifier: "Classifier", text: str, column: int) -> str:
    """A short text as it is; of a long one, the run of sentences that scores highest."""
    if len(text) <= PASSAGE:
        return text
    passages, begin, end = [], 0, 0
    for start, stop in _short_sentences(text):
        if stop - begin > PASSAGE:
            passages.append(text[begin:end])
            begin = start
        end = stop
    passages.append(text[begin:end])
    passages = [passage for passage in passages if passage.strip()]
    if not passages:
        return ""
    return passages[int(np.argmax(classifier.score(passages)[:, column]))]


def _short_sentences(text: str) -> Iterator[tuple[int, int]]:
    """The spans of sentences; those longer than SENTENCE_AT_MOST are cut."""
    for start, end in sentences(text):
        while end - start > SENTENCE_AT_MOST:
            cut = text.rfind(" ", start + 1, start + SENTENCE_AT_MOST)
            cut = cut if cut > 0 else start + SENTENCE_AT_MOST
            yield start, cut
            start = cut
        yield start, end
