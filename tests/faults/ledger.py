"""What the clients of a check sent and what was acknowledged, kept outside the server.

One register per tag, manifest and blob of a repository, each with the history of its operations. The ledger records and
never asks the server anything; oracle.py compares. Rules I1-I7 and I10 of docs/reliability.md speak about what is here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.faults.linear import Act, Op, explain

HERE = "here"


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Names one register: kind is "tag", "manifest" or "blob"; name is the tag or the digest."""

    kind: str
    repository: str
    name: str

    def path(self) -> str:
        """Return the URL path that reads the register."""
        return f"/v2/{self.repository}/{'blobs' if self.kind == 'blob' else 'manifests'}/{self.name}"


@dataclass(frozen=True, slots=True)
class Content:
    """A manifest as it was made: its bytes, and what it names."""

    media_type: str
    body: bytes
    blobs: tuple[str, ...] = ()
    subject: str = ""


@dataclass(slots=True)
class Register:
    """One register: its value when everything was last quiet, and what has happened since."""

    value: str | None = None
    history: list[Op] = field(default_factory=list)


class Ledger:
    """All registers of one server; safe to use from many threads."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.registers: dict[Key, Register] = {}
        self.manifests: dict[str, Content] = {}
        self.problems: list[str] = []
        self.counts: dict[str, int] = {}
        self.acked = threading.Condition(self.lock)
        self.acks = 0

    def manifest(self, digest: str, content: Content) -> None:
        """Remember a manifest before it is sent."""
        with self.lock:
            self.manifests[digest] = content

    def violation(self, rule: str, text: str) -> None:
        """Note something that must never happen, seen at once."""
        with self.lock:
            self.problems.append(f"{rule}: {text}")

    def count(self, what: str) -> None:
        """Count an event for the report."""
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def begin(self, *steps: tuple[Key, Act, str | None], redo: object = None) -> list[Op]:
        """Open one operation per register; to be called before the first byte of the request is sent."""
        start = time.monotonic()
        ops = [Op(act, value, start, redo=redo) for _, act, value in steps]
        with self.lock:
            for (key, _, _), op in zip(steps, ops, strict=True):
                self.registers.setdefault(key, Register()).history.append(op)
        return ops

    def settle(self, ops: Iterable[Op], *, acked: bool) -> None:
        """Close operations with an answer (acked), or with a refusal that promises they had no effect."""
        end = time.monotonic()
        with self.acked:
            for op in ops:
                op.end = end
                op.acked = acked
                if not acked:
                    op.act, op.value = Act.DROP, "(refused)"
            self.acks += acked
            self.acked.notify_all()

    def observe(self, key: Key, value: str | None, start: float, end: float) -> None:
        """Note what a read saw."""
        with self.lock:
            self.registers.setdefault(key, Register()).history.append(Op(Act.READ, value, start, end, acked=True))

    def server_died(self) -> None:
        """Close everything unanswered: after its process is gone, a request can no longer take effect."""
        now = time.monotonic()
        with self.lock:
            for register in self.registers.values():
                for op in register.history:
                    op.end = min(op.end, now)

    def as_of(self, moment: float, until: float) -> Ledger:
        """Return what a power cut leaves to be explained: acknowledged before `moment`, begun before `until`."""
        copy = Ledger()
        with self.lock:
            copy.manifests = dict(self.manifests)
            for key, register in self.registers.items():
                kept = [_cut(op, moment, until) for op in register.history if op.start < until]
                kept = [op for op in kept if op.acked or op.act is not Act.READ]
                if kept or register.value is not None:
                    copy.registers[key] = Register(register.value, kept)
        return copy

    def keys(self, kind: str) -> list[Key]:
        """Return the keys of one kind, sorted."""
        with self.lock:
            return sorted(key for key in self.registers if key.kind == kind)

    def touched(self) -> set[Key]:
        """Return the keys that something wrote since the last settlement."""
        with self.lock:
            return {
                key
                for key, register in self.registers.items()
                if any(op.act is not Act.READ for op in register.history)
            }

    def unanswered(self) -> list[object]:
        """Return what has to be sent again for every write that nobody answered."""
        with self.lock:
            return [
                op.redo
                for register in self.registers.values()
                for op in register.history
                if not op.acked and op.redo is not None and op.act is Act.WRITE
            ]

    def judge(self, seen: dict[Key, str | None]) -> list[str]:
        """Check every history that ends in `seen`, then start new ones from there; nothing may be in flight."""
        problems, self.problems = self.problems, []
        with self.lock:
            for key, value in seen.items():
                register = self.registers[key]
                now = time.monotonic()
                history = [*register.history, Op(Act.READ, value, now, now, acked=True, note="after the fault")]
                if not explain(history, register.value):
                    problems.append(_verdict(key, register, value))
                register.value, register.history = value, []
        return problems


def _cut(op: Op, moment: float, until: float) -> Op:
    """Return the operation as the cut saw it: an answer that came after it was not yet given."""
    if op.end <= moment:
        return op
    return Op(op.act, op.value, op.start, until, acked=False, note=op.note, redo=op.redo)


def _verdict(key: Key, register: Register, value: str | None) -> str:
    """Say which rule a history breaks, with the operations that show it."""
    rule = "I10" if value is not None else {"tag": "I3", "manifest": "I1", "blob": "I2"}[key.kind]
    rule = "I3" if key.kind == "tag" else rule
    shown = [str(op) for op in sorted(register.history, key=lambda op: op.start)[-8:]]
    return f"{rule}: {key.kind} {key.repository} {key.name}: found {value}, was {register.value}; {'; '.join(shown)}"
