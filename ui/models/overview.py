"""All models that can be picked, in one table."""

from ui.html import table
from ui.models.facts import facts
from ui.picker import kind, pickable
from ui.report import figure


def overview_table() -> str:
    """A row a model: where it is and, where known, its labels, size and mean ROC-AUC."""
    rows = []
    for name in pickable():
        known = facts(name)
        labels = str(len(known.folder.labels)) if known else "–"
        size = f"{known.megabytes:,.0f} MB" if known else "–"
        area = figure(known.mean_roc_auc if known else None)
        rows.append((name, kind(name), labels, size, area))
    return table(("model", "where", "labels", "size", "mean ROC-AUC"), rows, numbers=3)
