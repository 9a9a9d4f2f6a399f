"""Evaluate the watcher: break the demo in ways that a seed draws, and score what the watcher makes of it.

Each scenario runs the whole product (telemetry backend, service, demo, mcp-grafana) on ports and data of its own, and
lasts two to four minutes; several run at a time. With --keep a run that was interrupted goes on where it was.

awf eval --seed 7                          17 scenarios, one of each kind
awf eval --seed 7 --seed 8 --scenarios 10  two of ten
awf eval --seed 1 --kinds rate_limit,false_alarm --scenarios 4

AWF_PLAYBOOK_FILE, AWF_POLICY_FILE and the watcher's limits hold in the scenarios too; exit code 1: a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from awf.errors import ConfigError, DataDirError

if TYPE_CHECKING:
    from awf.evaluation.scenario import Scenario
    from awf.evaluation.score import Score

HELP = "evaluate the watcher on scenarios drawn from a seed"
BEGIN, END = "<!-- begin: awf eval -->", "<!-- end: awf eval -->"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, action="append", metavar="N", help="seed; may be repeated")
    parser.add_argument(
        "--scenarios", type=int, default=17, metavar="K", help="scenarios of each seed (17, one of each kind)"
    )
    parser.add_argument("--jobs", type=int, default=6, metavar="J", help="scenarios at a time (6)")
    parser.add_argument("--kinds", default="", metavar="NAME,...", help="only these kinds of trouble")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep data and logs, and go on from there")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="put the tables into a page between its marks"
    )
    parser.add_argument(
        "--short", action="store_true", help="about a minute each, with little history: as a test"
    )
    parser.add_argument("--list", action="store_true", help="only show the scenarios")
    parser.add_argument("--json", action="store_true", help="print JSON for a machine to read")


def run(args: argparse.Namespace) -> int:
    from awf.evaluation.report import as_json, markdown, missed, table
    from awf.evaluation.scenario import generate
    from awf.wiring.evaluation import forget_surroundings

    if args.scenarios < 1 or args.jobs < 1:
        raise ConfigError("--scenarios and --jobs need to be 1 or more", hint="See awf eval --help.")
    page = _page(args.write) if args.write else ""
    kinds = [name.strip() for name in args.kinds.split(",") if name.strip()]
    scenarios = [each for seed in args.seed or [1] for each in generate(seed, args.scenarios, kinds)]
    if args.list:
        for each in scenarios:
            print(f"{each.name}  {each.title}  {', '.join(sorted(each.noise))}".rstrip())
        return 0
    forget_surroundings(os.environ)
    with _folder(args.keep) as folder:
        scores = asyncio.run(_run(folder, scenarios, args))
    if args.json:
        print(json.dumps(as_json(scores), indent=2))
    else:
        print(table(scores))
    if args.write:
        text = markdown(scores, _command(args), _machine())
        before, _, rest = page.partition(BEGIN)
        args.write.write_text(f"{before}{BEGIN}\n{text}{END}{rest.partition(END)[2]}", encoding="utf-8")
    return 1 if missed(scores) else 0


async def _run(folder: Path, scenarios: Sequence[Scenario], args: argparse.Namespace) -> list[Score]:
    from awf.cli._supervisor import Supervisor
    from awf.core.clock import SystemClock
    from awf.evaluation.campaign import Campaign
    from awf.evaluation.report import line
    from awf.evaluation.run import SHORT, USUAL
    from awf.wiring.evaluation import Processes, ProductStack

    def launch(logs: Path, environ: Mapping[str, str]) -> Processes:
        return Supervisor(logs, environ, tell=lambda _: None)

    def tell(found: Score, number: int, count: int) -> None:
        print(f"[{number}/{count}] {line(found)}", file=sys.stderr, flush=True)

    campaign = Campaign(
        folder,
        lambda place: ProductStack(place, launch),
        SystemClock(),
        jobs=args.jobs,
        pace=SHORT if args.short else USUAL,
        keep=args.keep is not None,
        tell=tell,
    )
    return await campaign.run(scenarios)


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Yield where scenarios are kept; what nobody asked to keep is removed."""
    try:
        folder = keep.resolve() if keep else Path(tempfile.mkdtemp(prefix="awf-eval-"))
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataDirError(
            f"{keep} cannot be used: {error.strerror}", hint="Name another folder with --keep."
        ) from error
    try:
        yield folder
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def _page(path: Path) -> str:
    """Return the page that the tables go into, read before hours of work."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}", hint="Name an existing page."
        ) from error
    if BEGIN not in text or END not in text:
        raise ConfigError(
            f"{path} has no place for the tables", hint=f"Put {BEGIN} and {END} where they belong."
        )
    return text


def _command(args: argparse.Namespace) -> str:
    seeds = "".join(f" --seed {seed}" for seed in args.seed or [1])
    kinds = f" --kinds {args.kinds}" if args.kinds else ""
    return f"awf eval{seeds} --scenarios {args.scenarios} --jobs {args.jobs}{kinds}{' --short' if args.short else ''}"


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
