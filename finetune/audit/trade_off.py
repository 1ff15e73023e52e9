"""What another threshold would buy, and cost: all that an audit knows of it, in one table."""

import pandas as pd

from finetune.audit.audit import Audit


def trade_off(audit: Audit, label: str) -> pd.DataFrame:
    """Give a line a threshold, and a column a figure of this label; no lines where there is none.

    On labelled rows: precision, recall, f1, and flagged, the share of all rows. HateCheck:
    accuracy. On each set of identity sentences: the highest false-positive rate of any term.
    """
    columns: dict[str, dict[float, float | None]] = {}
    if audit.operating_points and label in audit.operating_points.labels:
        for point in audit.operating_points.labels[label].points:
            for name in ("precision", "recall", "f1", "flagged"):
                columns.setdefault(name, {})[point.threshold] = getattr(point, name)
    if audit.function and audit.function.label == label:
        columns["HateCheck"] = _by_number(audit.function.accuracy_at)
        columns["HateCheck"][audit.function.threshold] = audit.function.accuracy
    for report in audit.identity:
        if report.label == label:
            worst = report.highest_false_positive_rate
            columns[report.source] = _by_number(report.worst_rate_at)
            columns[report.source][report.threshold] = worst.false_positive_rate if worst else None
    frame = pd.DataFrame(columns).sort_index()
    return frame.rename_axis("threshold").reset_index()


def _by_number(values: dict[str, float] | dict[str, float | None]) -> dict[float, float | None]:
    return {float(limit): value for limit, value in values.items()}
