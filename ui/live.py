"""A text area that is scored while its visitor types, and a result that says when it is outdated.

Streamlit sends a text area at Ctrl+Enter or when it is left. A script in the visitor's browser
presses Ctrl+Enter for them when typing pauses. Without it, all else works as before.
"""

import streamlit as st

from ui.text import shortened

PAUSE = 250  # milliseconds without a key; shorter ones come within a word

HTML = (
    '<div class="tox-live"><span class="hint"></span><span class="said" role="status"></span></div>'
)

JS = """
let typing, leaving, timer, composing;

export default function ({ data: [data], parentElement }) {
  const hint = parentElement.querySelector(".hint");
  const said = parentElement.querySelector(".said");
  const area = () =>
    [...document.querySelectorAll("textarea")].find((one) => one.ariaLabel === data.label);
  const show = () => {
    const box = area();
    const outdated = Boolean(box) && box.value !== data.scored;
    document.documentElement.toggleAttribute("data-tox-outdated", outdated);
    hint.classList.toggle("outdated", outdated);
    hint.textContent = outdated ? data.outdated : data.hint;
    clearTimeout(timer);
    if (outdated && !composing) timer = setTimeout(send, data.pause);
  };
  const send = () => {
    const box = area();
    if (box && box.value !== data.scored) {
      const key = { key: "Enter", code: "Enter", ctrlKey: true, bubbles: true, cancelable: true };
      box.dispatchEvent(new KeyboardEvent("keydown", key));
    }
  };
  const listen = (change) => {
    ["input", "compositionend"].forEach((kind) => document[change](kind, typing));
    document[change]("click", leaving, true);
  };
  listen("removeEventListener");
  typing = (event) => {
    if (event.target !== area()) return;
    composing = Boolean(event.isComposing);
    show();
  };
  // Streamlit sends the text a moment after a tap on a link to another page, and the text would
  // bring this page back: so the text goes first, and the tap is repeated.
  leaving = (event) => {
    const link = event.target.closest("a");
    const box = area();
    if (!event.isTrusted || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (!link || link.target === "_blank" || !box || box.value === data.scored) return;
    event.preventDefault();
    event.stopPropagation();
    send();
    setTimeout(() => link.click(), data.pause);
  };
  listen("addEventListener");
  show(); // also for what was typed before this script was there
  if (said.textContent !== data.said) said.textContent = data.said;
  return () => {
    clearTimeout(timer);
    listen("removeEventListener");
    document.documentElement.removeAttribute("data-tox-outdated");
  };
}
"""

_live = st.components.v2.component("live_text_area", html=HTML, js=JS, isolate_styles=False)


def score_as_typed(label: str, scored: str, said: str) -> None:
    """Send the text area of this label when typing pauses; until its scores are there, grey them.

    scored: the text of the result that is shown. said: what a screen reader announces about it.
    The container with the key RESULT is greyed.
    """
    beginning = shortened(scored, 40)
    _live(
        key="live",
        data=[  # a list: Streamlit imports pandas, 70 MB, to look for tables in a dict
            {
                "label": label,
                "scored": scored,
                "said": said,
                "pause": PAUSE,
                "hint": "Scored as you type. Ctrl+Enter scores at once.",
                "outdated": f"The result is still for “{beginning}”" if beginning else "Scoring …",
            }
        ],
    )


RESULT = "result"
"""Key of the container that holds the result."""
