"""The table of all models that can be chosen."""

from finetune.measure.tables import decimals
from ui.html import table
from ui.models.facts import facts
from ui.picker import origin, pickable


def overview_table() -> str:
    """One row per model: where it is and, where known, its labels, size and mean ROC-AUC."""
    rows = []
    for name in pickable():
        known = facts(name)
        labels = str(len(known.folder.labels)) if known else "–"
        size = f"{known.megabytes:,.0f} MB" if known else "–"
        area = decimals(known.mean_roc_auc if known else None)
        rows.append((name, origin(name), labels, size, area))
    return table(("model", "where", "labels", "size", "mean ROC-AUC"), rows, numbers=3)
