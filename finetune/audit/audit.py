"""All that was measured of a model, and audit.json, the file beside its weights that keeps it.

    audit = Audit.load(folder)      # None where there is none
    audit.identity[0].frame()       # a DataFrame for a page

Every report lies beside its measure, and has frame(), table(), to_dict() and from_dict().
"""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, TypeVar

from comment_toxicity.decision import Weights
from comment_toxicity.disk import read_json, write_whole
from comment_toxicity.errors import ModelError
from finetune.audit.hatecheck import FunctionReport
from finetune.audit.identity import IdentityReport
from finetune.audit.operating_points import OperatingReport
from finetune.audit.robustness import RobustnessReport
from finetune.audit.transfer import TransferFigures, TransferReport

FILE_NAME = "audit.json"


@dataclass(frozen=True)
class Audit:
    """The reports of one model; a measure that was not taken is None, or an empty list.

    weights: the weight file that was measured.
    data: what was read, as (flag, file name, sha256).
    """

    weights: Weights
    data: dict[str, dict[str, str]] = field(default_factory=dict)
    identity: list[IdentityReport] = field(default_factory=list)
    function: FunctionReport | None = None
    threats: FunctionReport | None = None
    robustness: RobustnessReport | None = None
    operating_points: OperatingReport | None = None
    transfer: TransferReport | None = None

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Read folder/audit.json; None without one. ModelError when it is not of that form."""
        path = Path(folder) / FILE_NAME
        try:
            return cls.from_dict(read_json(path))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                f"{path}: not what python -m finetune.audit writes ({error!r}); write it again."
            ) from error

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Self:
        """Read what to_dict() gave."""
        kinds: dict[str, Any] = {
            "function": FunctionReport,
            "threats": FunctionReport,
            "robustness": RobustnessReport,
            "operating_points": OperatingReport,
            "transfer": TransferReport,
        }
        return cls(
            weights=Weights(**record["weights"]),
            data=record["data"],
            identity=[IdentityReport.from_dict(report) for report in record["identity"]],
            **{
                name: kind.from_dict(record[name])
                for name, kind in kinds.items()
                if record.get(name)
            },
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rounded to six decimals."""
        return {
            "weights": {"file": self.weights.file, "sha256": self.weights.sha256},
            "data": self.data,
            "identity": [report.to_dict() for report in self.identity],
            **{
                name: report.to_dict() if report else None
                for name, report in (
                    ("function", self.function),
                    ("threats", self.threats),
                    ("robustness", self.robustness),
                    ("operating_points", self.operating_points),
                    ("transfer", self.transfer),
                )
            },
        }

    @property
    def measured(self) -> bool:
        """Whether there is any report."""
        others = (
            self.function,
            self.threats,
            self.robustness,
            self.operating_points,
            self.transfer,
        )
        return bool(self.identity) or any(others)

    def updated(self, new: "Audit") -> "Audit":
        """Take from `new` what it measured and keep the rest, if it is of the same weights."""
        if new.weights != self.weights:
            return new
        transfer = new.transfer or self.transfer
        if new.transfer and self.transfer:
            transfer = TransferReport(_with_others(new.transfer.figures, self.transfer.figures))
        return replace(
            self,
            data=self.data | new.data,
            identity=_with_others(new.identity, self.identity),
            function=new.function or self.function,
            threats=new.threats or self.threats,
            robustness=new.robustness or self.robustness,
            operating_points=new.operating_points or self.operating_points,
            transfer=transfer,
        )

    def save(self, folder: Path) -> None:
        """Write folder/audit.json, whole or not at all."""
        text = json.dumps(self.to_dict(), indent=1, ensure_ascii=False)
        write_whole(Path(folder) / FILE_NAME, text + "\n")


Figures = TypeVar("Figures", bound=IdentityReport | TransferFigures)


def _with_others(new: list[Figures], old: list[Figures]) -> list[Figures]:
    """Put those of other sources behind what was measured anew."""
    sources = {figures.source for figures in new}
    return [*new, *(figures for figures in old if figures.source not in sources)]
