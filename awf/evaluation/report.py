"""The report: a table for a terminal, JSON for machines, Markdown for the docs."""

from __future__ import annotations

from collections.abc import Sequence

from awf.core.codec import to_json
from awf.core.types import Json
from awf.evaluation.score import UNRANKED, Score
from awf.evaluation.summary import Figure, figures


def line(found: Score) -> str:
    """Return one scenario in one line."""
    noise = f" ({', '.join(found.noise)})" if found.noise else ""
    what = found.problem or f"found {found.found}; {found.done}; {_recovery(found)}"
    return f"{found.name}  {'ok ' if found.is_right else 'NOT'}  {found.title}{noise}: {what}"


def table(scores: Sequence[Score]) -> str:
    """Return the figures in columns, with the targets that are missed marked."""
    rows = [
        (each.name, each.text, each.of, f"{each.target}{'' if each.is_met else '  MISSED'}")
        for each in figures(scores)
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def as_json(scores: Sequence[Score]) -> Json:
    found = figures(scores)
    return {
        "is_met": all(each.is_met for each in found),
        "figures": [to_json(each) for each in found],
        "scenarios": [to_json(each) for each in scores],
    }


def missed(scores: Sequence[Score]) -> list[Figure]:
    """Return the figures that miss their target."""
    return [each for each in figures(scores) if not each.is_met]


def markdown(scores: Sequence[Score], command: str, machine: str) -> str:
    """Return the tables for docs/evaluation.md."""
    head = ["| figure | value | counted over | target |", "|---|---|---|---|"]
    head += [
        f"| {each.name} | {each.text} | {each.of} | {each.target}{'' if each.is_met else ' **missed**'} |"
        for each in figures(scores)
    ]
    rows = [
        "| scenario | trouble | noise | found | done | detected | investigated | reacted | users well again | by itself |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    rows += [
        f"| {each.name} | {each.title} | {', '.join(each.noise)} | {_ranks(each)} | {each.done} "
        f"| {_s(each.detect_s)} | {_s(each.investigate_s)} | {_s(each.react_s)} | {_recovery(each)} "
        f"| {_s(each.natural_s)} |"
        for each in scores
    ]
    said = f"Made by `{command}` on {machine}."
    return "\n".join([said, "", *head, "", *rows, ""])


def _ranks(found: Score) -> str:
    """Say what was found, and what of it is not right."""
    if found.is_false_alarm:
        return found.found
    wrong = [
        name if rank == UNRANKED else f"{name} only at place {rank}"
        for name, rank in (("cause", found.cause_rank), ("target", found.target_rank))
        if rank != 1
    ]
    return f"{found.found} (not right: {', '.join(wrong)})" if wrong else found.found


def _recovery(found: Score) -> str:
    if not found.suffered:
        return "users not hit"
    words = f"after {found.recover_s:.0f} s" if found.recover_s is not None else "no"
    return words + (", verified" if found.is_verified else "")


def _s(value: float | None) -> str:
    return "" if value is None else f"{value:g} s"
