"""The table of all models that can be chosen."""

from finetune.measure.tables import decimals
from ui.html import table
from ui.models.facts import facts_of
from ui.picker import origin, pickable


def overview_table() -> str:
    """One row per model: where it is and, where known, its labels, size and mean ROC-AUC."""
    rows = []
    for name in pickable():
        facts = facts_of(name)
        labels = str(len(facts.folder.labels)) if facts else "–"
        size = f"{facts.megabytes:,.0f} MB" if facts else "–"
        area = decimals(facts.mean_roc_auc if facts else None)
        where = origin(name)
        if facts and facts.mean_roc_auc is not None and facts.few_rows:
            where += ", measured on few rows"
        rows.append((name, where, labels, size, area))
    return table(("model", "where", "labels", "size", "mean ROC-AUC"), rows, numbers=3)
