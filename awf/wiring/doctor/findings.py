"""What a check is, and what it finds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from awf.core.types import Json

if TYPE_CHECKING:
    from awf.wiring.doctor.case import Case


class Status(StrEnum):
    OK = "ok"
    WARN = "warn"  # it works, but not all of it or not for long
    FAIL = "fail"
    SKIP = "skip"  # not looked at, because something else must be mended first


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what was seen, and what to do. `items` are the particulars."""

    what: str
    status: Status
    detail: str
    hint: str = ""
    items: tuple[str, ...] = ()
    area: str = ""
    check: str = ""
    took_s: float = 0.0

    def as_dict(self) -> Json:
        return asdict(self) | {"items": list(self.items), "took_s": round(self.took_s, 3)}


def ok(what: str, detail: str, *, hint: str = "", items: Sequence[str] = ()) -> Finding:
    """Return a finding about what is as it should be."""
    return Finding(what, Status.OK, detail, hint, tuple(items))


def warn(what: str, detail: str, *, hint: str = "", items: Sequence[str] = ()) -> Finding:
    """Return a finding about what works, but not entirely."""
    return Finding(what, Status.WARN, detail, hint, tuple(items))


def fail(what: str, detail: str, *, hint: str = "", items: Sequence[str] = ()) -> Finding:
    """Return a finding about what does not work."""
    return Finding(what, Status.FAIL, detail, hint, tuple(items))


def skip(what: str, detail: str, *, hint: str = "") -> Finding:
    """Return a finding about what could not be looked at, and why."""
    return Finding(what, Status.SKIP, detail, hint)


@dataclass(frozen=True, slots=True)
class Check:
    """One file in `checks/`. It runs when no check that it `needs` has failed or was skipped, and `after` others
    whatever came of them; `what` stands for it where it could not run. What `run` raises is a finding, too."""

    name: str
    area: str
    what: str
    run: Callable[[Case], Awaitable[Sequence[Finding]]]
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """All findings, in the order in which to mend things."""

    version: str
    findings: tuple[Finding, ...]
    took_s: float

    @property
    def status(self) -> Status:
        """The worst of all."""
        found = {finding.status for finding in self.findings}
        return next((status for status in (Status.FAIL, Status.WARN) if status in found), Status.OK)

    @property
    def counts(self) -> dict[str, int]:
        counted = Counter(finding.status for finding in self.findings)
        return {status.value: counted[status] for status in Status}

    def as_dict(self) -> Json:
        return {
            "awf": self.version,
            "status": self.status.value,
            "counts": self.counts,
            "took_s": round(self.took_s, 3),
            "findings": [finding.as_dict() for finding in self.findings],
        }
