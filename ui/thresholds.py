"""Thresholds of a visitor: what they give by the model's own figures, presets, and a file of them.

They are kept by ui/session.py, for all pages. The figures are those that ship with the model: the
curves of metrics.json, or else the points of audit.json. A model may have none.
"""

import dataclasses
import functools
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from comment_toxicity import Classifier
from comment_toxicity.decision import FILE_NAME, Decision
from comment_toxicity.disk import read_json
from ui import session
from ui.words import BY_HAND, percent

CAREFUL, BALANCED, THOROUGH = "Careful", "Balanced", "Thorough"
PRESETS = {
    CAREFUL: "few false alarms: where possible, 80 of 100 flags are right",
    BALANCED: "the model's own thresholds",
    THOROUGH: "few misses: 90 of 100 comments with the label are found",
}
CAREFUL_PRECISION, THOROUGH_RECALL = 0.8, 0.9
LEAST_FOUND = 0.2  # of a careful preset: a threshold that finds nothing is of no use
LOWEST, HIGHEST = 0.01, 0.99


@dataclass(frozen=True)
class Figures:
    """Precision and recall of one label at several thresholds, the lowest first."""

    thresholds: list[float]
    precision: list[float]
    recall: list[float]

    def at(self, threshold: float) -> tuple[float, float]:
        """Precision and recall at a threshold, between the measured ones by a straight line."""
        precision, recall = (
            float(np.interp(threshold, self.thresholds, values))
            for values in (self.precision, self.recall)
        )
        return precision, recall


def figures_of(classifier: Classifier) -> dict[str, Figures]:
    """The figures that a model ships with, by label; empty where it has none."""
    folder = classifier.folder.path
    weights = classifier.decision.weights
    stamps = []
    for name in ("metrics.json", "audit.json"):
        try:
            stamps.append((folder / name).stat().st_mtime_ns)
        except OSError:
            stamps.append(0)
    return _figures(folder, weights.sha256 if weights else "", tuple(stamps))


@functools.lru_cache(maxsize=32)
def _figures(folder: Path, sha256: str, stamps: tuple[int, ...]) -> dict[str, Figures]:
    for name, read in (("metrics.json", _curves), ("audit.json", _points)):
        try:
            if found := read(read_json(folder / name), sha256):
                return found
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            continue  # missing, or not of that form: then the page says nothing of thresholds
    return {}


def _curves(record: Mapping[str, Any], _: str) -> dict[str, Figures]:
    split = record.get("test") or record["validation"]
    curves = {label: metrics.get("curve") for label, metrics in split["labels"].items()}
    return {
        label: _known(zip(curve["thresholds"], curve["precision"], curve["recall"], strict=True))
        for label, curve in curves.items()
        if curve
    }


def _points(record: Mapping[str, Any], sha256: str) -> dict[str, Figures]:
    if record["weights"]["sha256"] != sha256:
        return {}  # of other weights
    return {
        label: _known(
            (point["threshold"], point["precision"], point["recall"]) for point in values["points"]
        )
        for label, values in record["operating_points"]["labels"].items()
    }


def _known(points: Any) -> Figures:
    """Those points that have both; ValueError where there is none."""
    rows = sorted((float(t), float(p), float(r)) for t, p, r in points if None not in (p, r))
    thresholds, precision, recall = map(list, zip(*rows, strict=True))
    return Figures(thresholds, precision, recall)


def consequence(threshold: float, figures: Figures | None) -> str:
    """“flagged from 42 %: 60 of 100 flags are right, 82 of 100 found”; without figures, shorter."""
    flagged = f"flagged from {percent(threshold)}"
    if figures is None:
        return flagged
    right, found = (round(100 * share) for share in figures.at(threshold))
    return f"{flagged}: {right} of 100 flags are right, {found} of 100 found"


def preset(name: str, decision: Decision, figures: Mapping[str, Figures]) -> dict[str, float]:
    """The thresholds of a preset, by label; labels that keep the model's own are missing.

    A careful one is never below the model's own, a thorough one never above it.
    """
    chosen = {}
    for label, own in decision.thresholds.items():
        if label not in figures or name == BALANCED:
            continue
        points = figures[label]
        steps = np.arange(1, 100) / 100
        precision, recall = map(np.array, zip(*map(points.at, steps), strict=True))
        if name == CAREFUL:
            enough = (precision >= CAREFUL_PRECISION) & (recall >= LEAST_FOUND)
            useful = np.where(recall >= LEAST_FOUND, precision, -1.0)
            value = steps[np.argmax(enough) if enough.any() else np.argmax(useful)]
            value = max(own, float(value))
        else:
            enough = recall >= THOROUGH_RECALL
            value = steps[np.flatnonzero(enough)[-1]] if enough.any() else points.thresholds[0]
            value = min(own, float(value))
        if value != own:
            chosen[label] = value
    return chosen


def moved(
    decision: Decision, figures: Mapping[str, Figures], thresholds: Mapping[str, float]
) -> set[str]:
    """The labels whose threshold is that of no preset: it was moved by itself."""
    presets = [decision.thresholds | preset(name, decision, figures) for name in PRESETS]
    return {
        label
        for label, value in thresholds.items()
        if all(values.get(label) != value for values in presets)
    }


def presets_of(classifier: Classifier) -> dict[str, dict[str, float]]:
    """What preset() gives for each preset; without figures there is only the model's own.

    Empty for a single-label model, which has no thresholds.
    """
    if not classifier.thresholds:
        return {}
    figures = figures_of(classifier)
    names = PRESETS if figures else [BALANCED]
    return {name: preset(name, classifier.decision, figures) for name in names}


def matching(presets: Mapping[str, Mapping[str, float]], chosen: Mapping[str, float]) -> str | None:
    """Which preset these thresholds are; None where they were set one by one."""
    names = sorted(presets, key=lambda name: name != BALANCED)  # of equal ones, the model's own
    return next((name for name in names if presets[name] == chosen), None)


def choose_preset(
    presets: Mapping[str, Mapping[str, float]],
    chosen: Mapping[str, float],
    key: str,
    take: Callable[[Mapping[str, float]], None],
    about: str,
) -> None:
    """Show the presets as buttons, the one in use lit.

    key: where the state is kept, and the beginning of the widget's key.
    take: called with the thresholds of the preset that is pressed.
    about: what the help says after each preset's sentence.
    """
    used = matching(presets, chosen)
    turn, shown = st.session_state.get(key, (0, used))
    lit = st.session_state.get(f"{key} {turn}", shown)
    if lit is not None and lit != shown:
        take(presets[lit])
        st.session_state[key] = turn, lit
        st.rerun()
    if lit != used:
        # Thresholds were moved otherwise. This is another widget: of one whose state is set here, a
        # browser that has not heard of it sends the old state, which is then taken for a press. For
        # the same reason it has no callback.
        turn += 1
    st.session_state[key] = turn, used
    st.segmented_control(
        "Thresholds",
        list(presets),
        default=used,
        key=f"{key} {turn}",
        help="  \n".join([*(f"**{name}**: {PRESETS[name]}" for name in presets), about]),
    )


def by_hand(
    decision: Decision, own: Mapping[str, float], measured: Mapping[str, Mapping[str, Any]]
) -> Decision:
    """A decision with other thresholds.

    own: by label; of labels that the decision lacks, nothing is taken. measured: by label, the
    positives, precision and recall at its threshold, where they are known.
    """
    labels = dict(decision.labels)
    own = {label: value for label, value in own.items() if label in labels}
    unknown = {"positives": None, "precision": None, "recall": None}
    for label, threshold in own.items():
        metrics = {**unknown, **measured.get(label, {})}
        labels[label] = dataclasses.replace(labels[label], threshold=threshold, **metrics)
    kept, *before = BY_HAND.split(decision.criterion or "")
    names = dict.fromkeys([*", ".join(before).split(", "), *own])
    hand = f"by hand: {', '.join(filter(None, names))}"
    criterion = "; ".join(filter(None, [kept, hand]))
    return dataclasses.replace(decision, labels=labels, criterion=criterion)


def decision_file(decision: Decision) -> str:
    """The content of decision.json."""
    with tempfile.TemporaryDirectory() as folder:
        decision.save(Path(folder))
        return (Path(folder) / FILE_NAME).read_text(encoding="utf-8")


def own_decision_file(classifier: Classifier) -> str:
    """decision.json with the visitor's thresholds, and what the figures say of them."""
    own, figures = session.thresholds(classifier.name), figures_of(classifier)
    measured = {}
    for label in own.keys() & figures.keys():
        precision, recall = figures[label].at(own[label])
        measured[label] = {"precision": round(precision, 4), "recall": round(recall, 4)}
    return decision_file(by_hand(classifier.decision, own, measured))


JS = """
const said = (threshold, curve) => {
  const flagged = `flagged from ${Math.round(100 * threshold)} %`;
  if (!curve) return flagged;
  const at = (values) => {
    const xs = curve.thresholds;
    if (threshold <= xs[0]) return values[0];
    for (let i = 1; i < xs.length; i++) {
      if (threshold <= xs[i]) {
        const share = (threshold - xs[i - 1]) / (xs[i] - xs[i - 1] || 1);
        return values[i - 1] + share * (values[i] - values[i - 1]);
      }
    }
    return values[xs.length - 1];
  };
  const of100 = (values) => Math.round(100 * at(values));
  return `${flagged}: ${of100(curve.precision)} of 100 flags are right, ` +
    `${of100(curve.recall)} of 100 found`;
};

const watching = new WeakMap();  // by the component's element: what to do at its next call
const held = {};  // the handle that is in use, by model

export default function ({ data: [data], parentElement, setTriggerValue }) {
  const place = parentElement.closest(".stVerticalBlock");
  const add = () => {
    for (const track of place.querySelectorAll(".tox-bars .track[data-label]")) {
      const label = track.dataset.label, threshold = data.thresholds[label];
      if (threshold === undefined || track.querySelector("input")) continue;
      const handle = document.createElement("input");
      const value = parseFloat(track.querySelector(".mark").style.left);
      Object.assign(handle, { type: "range", min: 1, max: 99, step: 1, value });
      handle.ariaLabel = `Flag ${data.names[label]} from this score on, in per cent`;
      const line = track.parentElement.querySelector(".limit");
      const mark = track.querySelector(".mark");
      let timer;
      handle.addEventListener("input", () => {
        const chosen = handle.value / 100;
        mark.style.left = `${handle.value}%`;
        line.textContent = said(chosen, data.figures[label]);
        handle.ariaValueText = line.textContent;
        held[data.model] = label;
        clearTimeout(timer);
        timer = setTimeout(() => setTriggerValue("moved", { label, threshold: chosen }), 400);
      });
      // A new result replaces its handles: the one in use gets the focus back, if nothing else has.
      const free = () => document.activeElement === document.body;
      handle.addEventListener("blur", () => setTimeout(() => free() || delete held[data.model]));
      track.append(handle);
      if (held[data.model] === label && free()) {
        const folded = track.closest("details");
        if (folded) folded.open = true;
        handle.focus({ preventScroll: true });
      }
    }
  };
  watching.get(parentElement)?.disconnect();
  const observer = new MutationObserver(add);
  watching.set(parentElement, observer);
  observer.observe(place, { subtree: true, childList: true });
  add();
  return () => observer.disconnect();
}
"""

_handles = st.components.v2.component("threshold_handles", js=JS, isolate_styles=False)


def make_bars_movable(classifier: Classifier, names: Mapping[str, str]) -> None:
    """Let the ticks of the bars in the same container be moved; the session keeps what is chosen.

    names: by label, in words. Without scripts the ticks stay where they are.
    """
    model = classifier.name
    key = f"handles {model}"
    figures = figures_of(classifier)

    def keep() -> None:
        moved = st.session_state[key].get("moved") or {}
        label, threshold = moved.get("label"), moved.get("threshold")
        if label in classifier.thresholds and isinstance(threshold, int | float):
            value = min(max(float(threshold), LOWEST), HIGHEST)
            session.set_thresholds(model, {**session.thresholds(model), label: value})

    _handles(
        key=key,
        data=[  # a list, as in ui/live.py
            {
                "model": model,
                "names": dict(names),
                "thresholds": {**classifier.thresholds, **session.thresholds(model)},
                "figures": {label: dataclasses.asdict(each) for label, each in figures.items()},
            }
        ],
        on_moved_change=keep,
    )
