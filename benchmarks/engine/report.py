"""Samples by row and engine as text: medians with their spread, and ratios to a reference of the same rounds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.engine.rows import Row


@dataclass
class Result:
    """One row's samples."""

    row: Row
    samples: dict[str, list[float]] = field(default_factory=dict)

    def add(self, engine: str, value: float) -> None:
        """Keep one round's number."""
        self.samples.setdefault(engine, []).append(value)

    def ratios(self, engine: str, reference: str) -> list[float]:
        """The engine's samples over the reference's, round by round."""
        pairs = zip(self.samples.get(engine, []), self.samples.get(reference, []), strict=False)
        return [mine / its for mine, its in pairs if its]

    @property
    def missed(self) -> bool:
        """Whether a target of the row was not reached."""
        return any(value is not None and value > bound for _, value, bound in self.targets())

    def targets(self) -> list[tuple[str, float | None, float]]:
        """Each target of the row: what it is, what was measured, and the most that it may be."""
        found: list[tuple[str, float | None, float]] = []
        for target in self.row.targets:
            values = (
                self.ratios(target.engine, target.reference)
                if target.reference
                else self.samples.get(target.engine, [])
            )
            found.append((target.text, median(values) if values else None, target.bound))
        return found


def text(result: Result) -> str:
    """One row: a line for each engine."""
    lines = [f"\n{result.row.title}   [{result.row.name}, {result.row.unit}, less is better]"]
    for engine, values in result.samples.items():
        ratios = "".join(
            f"{_ratio(result.ratios(engine, reference)):>24} of {reference}"
            for reference in result.row.references
            if reference != engine and reference in result.samples
        )
        lines.append(f"    {engine:12}{median(values):10.4g} ({min(values):.4g}–{max(values):.4g}){ratios}")
    return "\n".join(lines)


def targets_text(results: Sequence[Result]) -> str:
    """The targets, met or not."""
    lines = ["\ntargets (medians)"]
    for result in results:
        for what, value, bound in result.targets():
            verdict = "-" if value is None else "met" if value <= bound else "NOT MET"
            lines.append(f"  {verdict:8} {what:60} {'' if value is None else f'{value:.3g}'} (at most {bound:g})")
    return "\n".join(lines)


def _ratio(values: Sequence[float]) -> str:
    return f"{median(values):.2f}x ({min(values):.2f}–{max(values):.2f})" if values else ""
