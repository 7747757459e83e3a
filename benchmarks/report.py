"""What a run found: samples by row, peer and metric; ratios with their spread; the targets; text and JSON.

A ratio is taken round by round, between samples made minutes apart at most, and told as median (least–most).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.garbage import RATIO
from benchmarks.large import COPIES
from benchmarks.peers import BOTO3, DISTRIBUTION_3, MOORAGE_GRANIAN, MOORAGE_UVICORN, NGINX, OTHER
from benchmarks.row import AGAIN, COST, FIRST, LARGEST, RATE, SPEED, TOGETHER, Metric, Row, Values
from benchmarks.rows import TOKEN_COST

Samples = dict[str, dict[str, list[float]]]  # metric -> peer -> one value a round


@dataclass
class Result:
    """One row's samples, and why some peers have none."""

    row: Row
    samples: Samples = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, peer: str, values: Values) -> None:
        """Keep one round's numbers."""
        for metric, value in values.items():
            self.samples.setdefault(metric, {}).setdefault(peer, []).append(value)

    def values(self, metric: str, peer: str) -> list[float]:
        """What was measured; [] if nothing was."""
        return self.samples.get(metric, {}).get(peer, [])

    def ratios(self, metric: str, peer: str, reference: str) -> list[float]:
        """The peer's samples over the reference's of the same rounds, where those are more than nothing."""
        pairs = zip(self.values(metric, peer), self.values(metric, reference), strict=False)
        return [mine / its for mine, its in pairs if its]


@dataclass(frozen=True, slots=True)
class Target:
    """A number that has to be reached: against a reference at least `bound` times, alone at most `bound`."""

    text: str
    rows: tuple[str, ...]
    metrics: tuple[Metric, ...]
    peer: str
    bound: float
    reference: str = ""

    def check(self, results: Sequence[Result]) -> tuple[bool | None, str]:
        """Whether every row met it, and the worst row; None where one is missing."""
        found = [(self._value(result, metric), result.row.name, metric.name) for result in results
                 if result.row.name in self.rows for metric in self.metrics]  # fmt: skip
        known = [(value, row, metric) for value, row, metric in found if value is not None]
        if len(known) < len(self.rows) * len(self.metrics):
            return None, "not measured"
        value, row, metric = min(known) if self.reference else max(known)
        met = value >= self.bound if self.reference else value <= self.bound
        return met, f"{value:.2f}x in {row}" if self.reference else f"{value:.2f} ({metric})"

    def _value(self, result: Result, metric: Metric) -> float | None:
        if self.reference:
            values = result.ratios(metric.name, self.peer, self.reference)
        else:
            values = result.values(metric.name, self.peer)
        return median(values) if values else None


def _targets() -> tuple[Target, ...]:
    manifests = ("manifest-tag", "manifest-digest")
    gets = tuple(f"get-{size}" for size in ("64x1", "64x8", "512x1", "512x8"))
    puts = tuple(f"put-{size}" for size in ("64x1", "64x8", "512x1", "512x8"))
    pushed = ("s3-put-512x1", "s3-patch-512x1", "s3-put-64x4")
    rows = [
        Target("manifest GET, 3 x Distribution 3", manifests, (RATE,), MOORAGE_UVICORN, 3, DISTRIBUTION_3),
        Target("manifest GET, 5 x Distribution 3", manifests, (RATE,), MOORAGE_GRANIAN, 5, DISTRIBUTION_3),
        Target("blob GET, 0.7 x nginx", gets, (SPEED,), MOORAGE_UVICORN, 0.7, NGINX),
        Target("blob GET, 0.9 x nginx", gets, (SPEED,), MOORAGE_GRANIAN, 0.9, NGINX),
        Target("push to S3, 0.8 x bare boto3", pushed, (SPEED,), MOORAGE_UVICORN, 0.8, BOTO3),
        Target("redirected pull within 2 ms of CPU", ("s3-redirect",), (COST,), MOORAGE_UVICORN, 2000),
        Target("5 GiB to S3 within 200 MiB", ("large-s3",), (TOGETHER,), MOORAGE_UVICORN, 200),
        Target("5 GiB to S3, no second copy", ("large-s3",), (COPIES,), MOORAGE_UVICORN, 1.002),
    ]
    for peer in (MOORAGE_UVICORN, MOORAGE_GRANIAN):
        rows += [
            Target("a token costs a pull under 10 %", ("manifest-token",), (TOKEN_COST,), peer, 1 / 0.9),
            Target("blob PUT, 1.2 x Distribution 3", puts, (SPEED,), peer, 1.2, DISTRIBUTION_3),
            Target("gc costs what it finds", ("gc",), (RATIO,), peer, 1.3),
            Target("ready within 1.5 s", ("start",), (FIRST, AGAIN), peer, 1.5),
            Target("at most 120 MiB a worker", ("memory",), (LARGEST,), peer, 120),
        ]
    return tuple(rows)


TARGETS = _targets()


def table(result: Result, peers: Sequence[str]) -> str:
    """One row as text: a block for each metric, a line for each peer."""
    lines = [f"\n{result.row.title}   [{result.row.name}]"]
    for metric in result.row.metrics:
        measured = [peer for peer in peers if result.values(metric.name, peer)]
        references = [peer for peer in (DISTRIBUTION_3, NGINX, BOTO3, *_others(peers)) if peer in measured]
        columns = "".join(f"{'/ ' + reference:>24}" for reference in references)
        better = "more" if metric.more_is_better else "less"
        lines.append(f"  {metric.name} ({better} is better)".ljust(44) + columns)
        for peer in measured:
            ratios = "".join(f"{_ratio(result.ratios(metric.name, peer, other)):>24}" for other in references)
            lines.append(f"    {peer:17}{_spread(result.values(metric.name, peer)):>23}{ratios}")
    lines += [f"    {peer:17} skipped: {reason}" for peer, reason in result.skipped.items()]
    lines += [f"    {peer:17} FAILED: {reason}" for peer, reason in result.failed.items()]
    return "\n".join(lines)


def targets_table(results: Sequence[Result]) -> str:
    """The targets, met or not."""
    lines = ["\ntargets (medians)"]
    for target in TARGETS:
        met, found = target.check(results)
        verdict = {True: "met", False: "NOT MET", None: "-"}[met]
        lines.append(f"  {verdict:8} {target.text:36} {target.peer:17} {found}")
    return "\n".join(lines)


def document(results: Sequence[Result], machine: dict[str, object]) -> dict[str, object]:
    """The run for machines."""
    return {
        "machine": machine,
        "rows": {
            result.row.name: {
                "title": result.row.title,
                "samples": result.samples,
                "skipped": result.skipped,
                "failed": result.failed,
            }
            for result in results
        },
        "targets": [
            {"text": target.text, "peer": target.peer, "met": met, "found": found}
            for target in TARGETS
            for met, found in [target.check(results)]
        ],
    }


def _others(peers: Sequence[str]) -> list[str]:
    return [peer for peer in peers if peer.startswith(OTHER)]


def _ratio(values: Sequence[float]) -> str:
    if not values:
        return ""
    return f"{median(values):.2f}x ({min(values):.2f}–{max(values):.2f})"


def _spread(values: Sequence[float]) -> str:
    return f"{_number(median(values))} ({_number(min(values))}–{_number(max(values))})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
