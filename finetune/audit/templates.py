"""Identities and sentences of data/identity_templates.toml → rows to measure on.

    templates = load_templates()
    rows = templates.rows()          # text, kind, term ("" for background), and its labels
    templates.mentions(texts)        # term → which texts name it

The sentences are for measuring only: no model is trained on them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from finetune.audit.sentence_file import sentence_file
from finetune.checkout import ROOT

FILE = ROOT / "data" / "identity_templates.toml"
BACKGROUND = ""
UNKNOWN = -1


@dataclass(frozen=True)
class Templates:
    """forms: (term, its words for each slot of a sentence).  sentences: kind → labels, templates.

    The term is "" for the people to compare with.  spellings: spelling → its term.
    """

    forms: list[tuple[str, dict[str, str]]]
    sentences: dict[str, dict[str, Any]]
    spellings: dict[str, str]

    def rows(self) -> pd.DataFrame:
        """Put every identity into every sentence: text, kind, term, is_toxic, is_identity_hate.

        is_identity_hate is NaN where a sentence names no identity, so that it cannot be decided.
        """
        rows = [
            (_sentence(template, slots), kind, term, content["toxic"], content["identity_hate"])
            for kind, content in self.sentences.items()
            for template in content["templates"]
            for term, slots in self.forms
        ]
        table = pd.DataFrame(rows, columns=["text", "kind", "term", "is_toxic", "is_identity_hate"])
        undecided = (table.term == BACKGROUND) & (table.is_identity_hate == 1)
        table["is_identity_hate"] = table.is_identity_hate.astype(float).mask(
            undecided | (table.is_identity_hate == UNKNOWN)
        )
        return table

    def mentions(self, texts: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
        """Return for each term which texts name it, ignoring case; terms in none are left out.

        The longest match counts: “African American” is neither “African” nor “American”.
        """
        longest_first = sorted(self.spellings, key=len, reverse=True)
        pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b")
        mentioned: dict[str, NDArray[np.bool_]] = {}
        for row, text in enumerate(texts):
            for spelling in pattern.findall(text.lower()):
                term = self.spellings[spelling]
                mentioned.setdefault(term, np.zeros(len(texts), dtype=bool))[row] = True
        return dict(sorted(mentioned.items()))


def load_templates(path: Path = FILE) -> Templates:
    """Read identities and sentences. Raises DataError if the file is missing or malformed."""
    with sentence_file(path, "identity templates") as content:
        forms, spellings = [], {}
        for term in (term for terms in content["adjectives"].values() for term in terms):
            forms.append((term, _slots(f"{term} person", f"{term} people", being=term)))
            spellings[term.lower()] = term
        for one, many in (pair for pairs in content["nouns"].values() for pair in pairs):
            forms.append((one, _slots(one, many)))
            spellings[one] = spellings[many] = one
        for one, many in (pair for pairs in content["background"].values() for pair in pairs):
            forms.append((BACKGROUND, _slots(one, many)))
        for term, also in content["also"].items():
            spellings |= dict.fromkeys(also, term)
        for text in (text for part in content["sentences"].values() for text in part["templates"]):
            _sentence(text, forms[0][1])
    return Templates(forms, content["sentences"], spellings)


def _slots(one: str, many: str, being: str = "") -> dict[str, str]:
    abbreviated = one.split()[0].isupper()  # an LGBT person: the letters are spoken
    vowel = one[0] in "AEFHILMNORSX" if abbreviated else re.match("[aio]|e(?!u)", one.lower())
    with_article = f"{'an' if vowel else 'a'} {one}"
    return {"person": one, "one": with_article, "many": many, "being": being or with_article}


def _sentence(template: str, slots: dict[str, str]) -> str:
    text = template.format(**slots)
    return text if template[0].islower() else re.sub(r"^\W*\w", lambda m: m[0].upper(), text)
