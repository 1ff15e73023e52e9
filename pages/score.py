"""Score: type a comment, read its scores.

A visitor's text goes to the model and back to that visitor's page. It is never cached, written
or logged.
"""

from collections.abc import Sequence
from html import escape

import numpy as np
import streamlit as st

from classifier import Classifier, load_classifier
from classifier.errors import UserError
from classifier.models import EMBEDDED, available_models
from classifier.summary import LabelScore, percent, rank, sentence

# Scored in a few seconds on two cores. It is no max_chars of the text area: with that, Streamlit
# ignores a longer paste without a word.
MAX_CHARACTERS = 100_000

STYLE = """<style>
.bars { display: grid; gap: 1.1rem; margin-top: 1rem; }
.bars .line { display: flex; justify-content: space-between; gap: 1rem; }
.bars .line > :first-child { overflow-wrap: anywhere; }
.bars .line > :last-child { white-space: nowrap; font-variant-numeric: tabular-nums; }
.bars .flagged .line, .summary { font-weight: 600; }
.bars .track { position: relative; height: 0.75rem; margin: 0.25rem 0; border-radius: 0.2rem;
  background: color-mix(in srgb, currentColor 14%, transparent); }
.bars .fill { height: 100%; min-width: 2px; border-radius: inherit;
  background: light-dark(#6b7686, #8b96a6); }
.bars .flagged .fill { background: light-dark(#c2410c, #f0883e); }
.bars .mark { position: absolute; top: -0.2rem; bottom: -0.2rem; width: 2px; margin-left: -1px;
  background: currentColor; }
.bars .verdict { font-size: 0.875rem; opacity: 0.8; }
.summary { font-size: 1.25rem; }
</style>"""

HARMS = """
- **Not for moderating by itself.** It helps a person to decide what to read first. Let nobody be
  blocked, and no comment be removed, by a score alone.
- **It reads words, not intentions.** Dialect, reclaimed words, irony, and abuse that is quoted in
  order to report it are scored too high; politely worded contempt is scored too low.
- **It can be unfair to people for naming what they are.** Sentences that mention a religion, an
  origin, an orientation or a disability tend to get higher scores, however friendly they are.
"""


@st.cache_resource(max_entries=2, show_spinner="Loading the model …")
def classifier_named(name: str) -> Classifier:
    """Load a model once for all visitors; the second most recent one stays in memory as well."""
    return load_classifier(name)


def result(ranked: Sequence[LabelScore]) -> str:
    """Write the sentence and, for each label, a bar with a mark at its threshold, as HTML.

    Score, threshold and verdict are written out too, since colour and length reach neither every
    eye nor a screen reader. Label names come from the model's files: they are escaped.
    """
    items = []
    for row in ranked:
        mark, verdict = "", "the likeliest" if row.flagged else ""
        if row.threshold is not None:
            mark = f'<div class="mark" style="left: {row.threshold:.2%}"></div>'
            reached = "likely: reaches" if row.flagged else "below"
            verdict = f"{reached} its threshold of {percent(row.threshold)}"
        items.append(
            f'<div role="listitem" class="{"flagged" if row.flagged else "unflagged"}">'
            f'<div class="line"><span>{escape(row.name)}</span> <span>{percent(row.score)}</span>'
            f'</div><div class="track" aria-hidden="true">'
            f'<div class="fill" style="width: {row.score:.2%}"></div>{mark}</div>'
            f'<div class="verdict">{verdict}</div></div>'
        )
    return (
        f'{STYLE}<div class="summary" role="status">{escape(sentence(ranked))}</div>'
        f'<div class="bars" role="list">{"".join(items)}</div>'
    )


def meaning(classifier: Classifier) -> str:
    """Say in one line what a score of this model means."""
    if not classifier.calibrated:
        return (
            "This model is not calibrated: its scores put comments in order, "
            "but 80 % need not mean 80 in 100."
        )
    return (
        "A score of 80 % means: of 100 comments scored like this one, readers would give the "
        "label to about 80."
    )


def main() -> None:
    """Lay out the page, top to bottom."""
    st.title("Comment toxicity", anchor=False)

    name = st.selectbox("Model", available_models() or [EMBEDDED])
    with st.form("comment", border=False):
        text = st.text_area("Comment", height=160)
        asked = st.form_submit_button("Score", type="primary")

    try:  # after the form, so that one can type while the model loads
        classifier = classifier_named(name)
    except UserError as error:
        st.error(str(error))
        st.stop()

    with st.spinner("Scoring …"):
        scores = classifier.score([text[:MAX_CHARACTERS]])[0]
    if not np.isnan(scores).any():
        st.html(result(rank(classifier, scores)))
        st.markdown(meaning(classifier))
        if len(text) > MAX_CHARACTERS:
            st.warning(
                f"This comment has {len(text):,} characters; "
                f"the first {MAX_CHARACTERS:,} were scored."
            )
    elif asked:
        st.info("There is nothing to score yet: type or paste a comment above.")

    st.subheader("Before you rely on it", anchor=False)
    st.markdown(HARMS)


if __name__ == "__main__":
    main()
