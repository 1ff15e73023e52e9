"""Charts as Vega-Lite specifications: plain dictionaries, drawn by st.vega_lite_chart.

Each comes with a sentence for those who cannot see it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

Points = Sequence[Mapping[str, Any]]
BAR_COLOR = "#7389a6"
THRESHOLD_COLOR = "#d9480f"
MATRIX_NUMBERS = 12  # classes of a confusion matrix with numbers in its cells
# Distinct for people with colour blindness (Okabe and Ito 2008), readable on both themes.
COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9"]


def histogram(counts: Sequence[int], threshold: float | None, name: str) -> None:
    """Draw how the rows spread over the scores, with a line at the threshold.

    The height is the square root of the count: rare high scores stay visible beside many low ones.
    """
    width = 1 / len(counts)
    bands = [
        {"from": index * width, "to": (index + 1) * width, "rows": count}
        for index, count in enumerate(counts)
    ]
    bars = {
        "mark": {"type": "bar", "color": BAR_COLOR},
        "encoding": {
            "x": {
                "field": "from",
                "type": "quantitative",
                "bin": {"binned": True},
                "scale": {"domain": [0, 1]},
                "axis": {"format": ".0%", "values": [0, 0.5, 1], "title": None, "grid": False},
            },
            "x2": {"field": "to"},
            "y": {
                "field": "rows",
                "type": "quantitative",
                "scale": {"type": "sqrt"},
                "axis": {"title": None, "tickCount": 3, "format": "~s"},
            },
            "tooltip": [
                {"field": "from", "title": "score from", "format": ".0%"},
                {"field": "rows", "title": "rows", "format": ","},
            ],
        },
    }
    layers: list[dict[str, Any]] = [{"data": {"values": bands}, **bars}]
    if threshold is not None:
        layers.append(_rule("x", threshold))
    total = sum(counts)
    high = sum(counts[len(counts) // 2 :])
    st.vega_lite_chart(
        {"layer": layers, "height": 110},
        alt=f"Histogram of the {name} scores: {high:,} of {total:,} rows have 50 % or more.",
    )


def bars(points: Points, share: str, name: str, alt: str) -> None:
    """Draw one bar per point, in their order. points: dictionaries with share and name."""
    highest = max(0.25, *(point[share] for point in points))  # small shares look small
    encoding = {
        "x": {
            "field": share,
            "type": "quantitative",
            "scale": {"domain": [0, highest]},
            "axis": {"format": ".0%", "title": None, "tickCount": 5},
        },
        "y": {"field": name, "type": "nominal", "sort": None, "axis": {"title": None}},
        "tooltip": [{"field": name}, {"field": share, "type": "quantitative", "format": ".1%"}],
    }
    mark = {"type": "bar", "color": BAR_COLOR}
    spec = {"data": {"values": list(points)}, "mark": mark, "encoding": encoding}
    st.vega_lite_chart({**spec, "height": {"step": 22}}, alt=alt)


def matrix(cells: Points, alt: str) -> None:
    """Draw a confusion matrix. cells: true class, predicted, rows, and of the true class (share).

    Cells shrink with the number of classes; above MATRIX_NUMBERS they show their rows on hovering.
    """
    classes = list(dict.fromkeys(cell["true class"] for cell in cells))
    step = 44 if len(classes) <= MATRIX_NUMBERS else 20
    x = {"field": "predicted", "type": "nominal", "sort": classes}
    y = {"field": "true class", "type": "nominal", "sort": classes}
    share = {"field": "of the true class", "type": "quantitative"}
    squares = {
        "mark": {"type": "rect", "stroke": "#8a8a8a", "strokeWidth": 0.3},
        "encoding": {
            "x": {**x, "axis": {"orient": "top", "labelAngle": -45, "labelLimit": 120}},
            "y": {**y, "axis": {"labelLimit": 160}},
            "color": {
                **share,
                "scale": {"domain": [0, 1], "scheme": "blues"},
                "legend": {"format": ".0%", "title": None},
            },
            "tooltip": [
                {"field": "true class", "type": "nominal"},
                {"field": "predicted", "type": "nominal"},
                {"field": "rows", "type": "quantitative", "format": ","},
                {**share, "format": ".1%"},
            ],
        },
    }
    white = {"test": "datum['of the true class'] > 0.5", "value": "white"}
    numbers = {
        "mark": {"type": "text", "fontSize": 11},
        "encoding": {
            "x": x,
            "y": y,
            "text": {"field": "rows", "type": "quantitative", "format": ","},
            "color": {"condition": white, "value": "#222222"},
        },
    }
    spec = {
        "data": {"values": list(cells)},
        "layer": [squares, numbers] if len(classes) <= MATRIX_NUMBERS else [squares],
        "width": {"step": step},
        "height": {"step": step},
    }
    st.vega_lite_chart(spec, alt=alt, width="content")


def lines(
    points: Points, x: str, y: str, alt: str, diagonal: bool = False, percent: bool = True
) -> None:
    """Draw one line per label. points: dictionaries with x, y and label."""
    axis = {"format": ".0%"} if percent else {}
    scale = {"domain": [0, 1]} if percent else {"zero": False}
    encoding = {
        "x": {"field": x, "type": "quantitative", "scale": scale, "axis": axis},
        "y": {"field": y, "type": "quantitative", "scale": scale, "axis": axis},
        "color": _by_label(),
        "order": {"field": "order", "type": "quantitative"},
        "tooltip": [{"field": name, "type": "nominal"} for name in ("label", x, y)],
    }
    layers: list[dict[str, Any]] = []
    if diagonal:
        ends = [{x: 0, y: 0}, {x: 1, y: 1}]
        layers.append(
            {
                "data": {"values": ends},
                "mark": {"type": "line", "strokeDash": [4, 4], "color": "#8a8a8a"},
                "encoding": {axis: encoding[axis] for axis in ("x", "y")},
            }
        )
    numbered = [{"order": index, **point} for index, point in enumerate(points)]
    mark = {"type": "line", "point": diagonal or not percent, "strokeWidth": 2}
    layers.append({"data": {"values": numbered}, "mark": mark, "encoding": encoding})
    st.vega_lite_chart({"layer": layers, "height": 340}, alt=alt)


def trade_off(points: Points, threshold: float, alt: str) -> None:
    """Draw precision and recall over the threshold. points: threshold, share, label."""
    encoding = {
        "x": {
            "field": "threshold",
            "type": "quantitative",
            "scale": {"domain": [0, 1]},
            "axis": {"format": ".0%"},
            "title": "threshold",
        },
        "y": {
            "field": "share",
            "type": "quantitative",
            "scale": {"domain": [0, 1]},
            "axis": {"format": ".0%", "title": None},
        },
        "color": _by_label(),
    }
    layers = [
        {"data": {"values": list(points)}, "mark": {"type": "line"}, "encoding": encoding},
        _rule("x", threshold),
    ]
    st.vega_lite_chart({"layer": layers, "height": 260}, alt=alt)


def _rule(axis: str, value: float) -> dict[str, Any]:
    return {
        "data": {"values": [{"at": value}]},
        "mark": {"type": "rule", "color": THRESHOLD_COLOR, "strokeWidth": 2},
        "encoding": {axis: {"field": "at", "type": "quantitative", "title": None}},
    }


def _by_label() -> dict[str, Any]:
    return {
        "field": "label",
        "type": "nominal",
        "sort": None,
        "scale": {"range": COLORS},
        "legend": {"orient": "bottom", "title": None, "columns": 2},
    }
