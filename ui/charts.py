"""Charts as Vega-Lite specifications: plain dictionaries, drawn by st.vega_lite_chart.

Each comes with a sentence for those who cannot see it.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

import streamlit as st

Points = Sequence[Mapping[str, Any]]
BAR_COLOR = "#7389a6"
THRESHOLD_COLOR = "#d9480f"
MATRIX_NUMBERS = 12  # classes of a confusion matrix with numbers in its cells
# Distinct for people with colour blindness (Okabe and Ito 2008), readable on both themes.
LIGHT_TEXT, DARK_TEXT = "#1c2330", "#e8ecf2"  # as in .streamlit/config.toml
LABEL_LINES = 9  # of text that fit above one another in a chart of over_epochs
COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9"]


def histogram(counts: Sequence[int], threshold: float | None, name: str) -> None:
    """Draw how the rows spread over the scores, each bar with its count, a line at the threshold.

    The height is the square root of the count: rare high scores stay visible beside many low ones.
    """
    width = 1 / len(counts)
    bands = [
        {
            "from": index * width,
            "to": (index + 1) * width,
            "middle": (index + 0.5) * width,
            "rows": count,
        }
        for index, count in enumerate(counts)
    ]
    height = {
        "field": "rows",
        "type": "quantitative",
        "scale": {"type": "sqrt"},
        "axis": None,
    }
    x = {
        "type": "quantitative",
        "scale": {"domain": [0, 1], "padding": 6},
        "axis": {"format": ".0%", "values": [0, 0.5, 1], "title": None, "grid": False},
    }
    bars = {
        "mark": {"type": "bar", "color": BAR_COLOR},
        "encoding": {
            "x": {**x, "field": "from", "bin": {"binned": True}},
            "x2": {"field": "to"},
            "y": height,
            "tooltip": [
                {"field": "from", "title": "score from", "format": ".0%"},
                {"field": "rows", "title": "rows", "format": ","},
            ],
        },
    }
    numbers = {
        "transform": [{"filter": "datum.rows > 0"}],
        "mark": {"type": "text", "dy": -6, "fontSize": 10, "color": text_color()},
        "encoding": {
            "x": {**x, "field": "middle"},
            "y": height,
            "text": {"field": "rows", "format": "~s" if max(counts) > 9999 else ","},
        },
    }
    data = {"data": {"values": bands}}
    rule = [] if threshold is None else [_rule("x", threshold)]
    layers: list[dict[str, Any]] = [{**data, **bars}, *rule, {**data, **numbers}]
    total = sum(counts)
    high = sum(counts[len(counts) // 2 :])
    _draw(
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
    _draw({**spec, "height": {"step": 22}}, alt=alt)


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
    _draw(spec, alt=alt, width="content")


def lines(points: Points, x: str, y: str, alt: str) -> None:
    """Draw one line per label. points: dictionaries with x, y, both shares, and label."""
    axis = {"format": ".0%"}
    scale = {"domain": [0, 1]}
    encoding = {
        "x": {"field": x, "type": "quantitative", "scale": scale, "axis": axis},
        "y": {"field": y, "type": "quantitative", "scale": scale, "axis": axis},
        "color": _by_label(),
        "order": {"field": "order", "type": "quantitative"},
        "tooltip": [{"field": name, "type": "nominal"} for name in ("label", x, y)],
    }
    numbered = [{"order": index, **point} for index, point in enumerate(points)]
    mark = {"type": "line", "strokeWidth": 2}
    spec = {"data": {"values": numbered}, "mark": mark, "encoding": encoding, "height": 340}
    _draw(spec, alt=alt)


def over_epochs(points: Points, value: str, alt: str, most: float | None = None) -> None:
    """Draw one line per label over the epochs, named at the right end.

    points: dictionaries with epoch, value and label. most: the highest possible value, if any.
    """
    low, high = fitting([point[value] for point in points], most)
    latest = max(point["epoch"] for point in points)
    last = {point["label"]: point[value] for point in points}  # of a label, the last one stays
    heights = apart(list(last.values()), (high - low) / LABEL_LINES, high)
    names = [
        {"epoch": latest, "label": label, "at": at} for label, at in zip(last, heights, strict=True)
    ]
    x = {
        "field": "epoch",
        "type": "quantitative",
        "scale": {"domain": [0, max(1, latest)], "nice": False},
        "axis": {"tickMinStep": 1, "tickCount": 8, "format": "d", "grid": False, "title": None},
    }
    scale = {"domain": [low, high], "nice": False}
    axis = {"tickCount": 4, "format": "~g", "title": None, "minExtent": 34}
    line = {
        "mark": {"type": "line", "point": {"size": 20}, "strokeWidth": 2},
        "encoding": {
            "x": x,
            "y": {"field": value, "type": "quantitative", "scale": scale, "axis": axis},
            "color": _by_label() | {"legend": None},
            "tooltip": [
                {"field": "label", "type": "nominal"},
                {"field": "epoch", "type": "quantitative", "format": ".2~f"},
                {"field": value, "type": "quantitative", "format": ".4~f"},
            ],
        },
    }
    text = {
        "data": {"values": names},
        "mark": {"type": "text", "align": "left", "dx": 8, "fontSize": 12, "color": text_color()},
        "encoding": {
            "x": x,
            "y": {"field": "at", "type": "quantitative", "scale": scale, "axis": axis},
            "text": {"field": "label", "type": "nominal"},
        },
    }
    layers = [{"data": {"values": list(points)}, **line}, text]
    _draw({"layer": layers, "height": 200}, alt=alt)


def _draw(spec: dict[str, Any], alt: str, width: Literal["stretch", "content"] = "stretch") -> None:
    st.vega_lite_chart({**spec, "config": _config()}, alt=alt, width=width)


def _config() -> dict[str, Any]:
    """What all charts share: axes that can be read, and percentages as the page writes them."""
    color = text_color()
    number = {"decimal": ".", "thousands": ",", "grouping": [3], "currency": ["$", ""]}
    return {
        "axis": {"labelColor": color, "titleColor": color},
        "locale": {"number": {**number, "percent": " %"}},
    }


def text_color() -> str:
    """The colour of text on the visitor's theme; Vega's own is black on both."""
    return DARK_TEXT if st.context.theme.type == "dark" else LIGHT_TEXT


def fitting(values: Sequence[float], most: float | None = None) -> tuple[float, float]:
    """The ends of an axis around these values, with some room: equal ones are in its middle.

    Neither end is below 0 nor above most: no loss and no metric is.
    """
    low, high = min(values), max(values)
    room = max(0.08 * (high - low), 0.05 * abs(high), 1e-6)
    top = high + room
    return max(0.0, low - room), top if most is None else min(most, top)


def apart(values: Sequence[float], distance: float, top: float) -> list[float]:
    """Move values apart until each is that far from the next, none above top: lines of text."""
    order = sorted(range(len(values)), key=values.__getitem__)
    moved = list(values)
    for lower, upper in pairwise(order):
        moved[upper] = max(moved[upper], moved[lower] + distance)
    for index in reversed(order):
        moved[index] = min(moved[index], top)
        top = moved[index] - distance
    return moved


def reliability(points: Points, alt: str) -> None:
    """Draw the share of rows that carry a label over their score, and how many rows there are.

    points: dictionaries with score, share with the label, and rows.
    """
    shares = {"domain": [0, 1], "nice": False}
    axis = {"format": ".0%", "values": [0, 0.5, 1], "title": None}
    x = {"field": "score", "type": "quantitative", "scale": shares, "axis": axis}
    share = {"field": "share with the label", "type": "quantitative", "scale": shares}
    tooltip = [
        {"field": "score", "type": "quantitative", "format": ".1%"},
        {"field": "share with the label", "type": "quantitative", "format": ".1%"},
        {"field": "rows", "type": "quantitative", "format": ","},
    ]
    # Square roots: few rows with high scores stay visible beside many low ones.
    most = max((point["rows"] for point in points), default=0) or 1
    counted = [{**point, "height": 0.4 * (point["rows"] / most) ** 0.5} for point in points]
    bars = {
        "mark": {"type": "bar", "size": 9, "color": "#8a8a8a", "opacity": 0.35},
        "encoding": {
            "x": x,
            "y": {"field": "height", "type": "quantitative", "scale": shares},
            "tooltip": tooltip,
        },
    }
    diagonal = {
        "data": {"values": [{"at": 0}, {"at": 1}]},
        "mark": {"type": "line", "strokeDash": [4, 4], "strokeWidth": 1, "color": "#8a8a8a"},
        "encoding": {
            name: {"field": "at", "type": "quantitative", "scale": shares} for name in ("x", "y")
        },
    }
    line = {
        "mark": {"type": "line", "point": {"size": 30}, "color": COLORS[0], "strokeWidth": 2},
        "encoding": {"x": x, "y": {**share, "axis": axis}, "tooltip": tooltip},
    }
    layers = [bars, diagonal, line]
    _draw({"data": {"values": counted}, "layer": layers, "height": 150}, alt=alt)


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
    _draw({"layer": layers, "height": 260}, alt=alt)


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
