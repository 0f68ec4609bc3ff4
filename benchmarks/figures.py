"""One measured figure: what it was measured against, its bound, and whether it holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A ratio and its bound."""

    what: str
    measured: str
    reference: str
    ratio: float
    bound: float | None
    """None where nobody has promised one."""
    side: Literal["at most", "at least"] = "at most"
    unit: str = "×"
    details: dict[str, float] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        if self.bound is None:
            return True
        return self.ratio <= self.bound if self.side == "at most" else self.ratio >= self.bound

    def row(self) -> tuple[str, ...]:
        sign = "≤" if self.side == "at most" else "≥"
        bound = "none" if self.bound is None else f"{sign} {self.bound:g} {self.unit}"
        return (
            self.what, self.measured, self.reference, f"{self.ratio:.2f} {self.unit}",
            bound, "yes" if self.holds else "NO",
        )  # fmt: skip

    def as_json(self) -> dict[str, object]:
        return asdict(self) | {"holds": self.holds}


HEAD = ("figure", "measured", "reference, same run", "ratio", "bound", "holds")


def table(figures: list[Figure]) -> str:
    """The figures as a Markdown table."""
    rows = [HEAD, *(figure.row() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"
