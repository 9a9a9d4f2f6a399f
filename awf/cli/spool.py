"""Look at the events that wait for the collector, or send those that dead processes left behind.

`inspect` changes nothing and works beside a running process. `drain` takes the spools that no process holds;
with `--set-aside` it sends once more what the collector refused for good.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from awf.cli._client import add_output, show
from awf.errors import ConfigError

HELP = "inspect or drain the events that wait for the collector"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", nargs="?", choices=("inspect", "drain"), default="inspect")
    parser.add_argument("--dir", type=Path, help="the spool directory (default: AWF_SPOOL_DIR)")
    parser.add_argument("--endpoint", default="", help="OTLP address to send to (default: as the exporter)")
    parser.add_argument("--limit", type=float, default=600.0, metavar="SECONDS", help="stop after this time")
    parser.add_argument("--set-aside", action="store_true", help="send what the collector refused for good")
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    from awf.settings import load

    settings = load()
    directory = args.dir or settings.spool_directory
    if args.dir and not directory.is_dir():
        raise ConfigError(f"{directory} is no directory", hint="AWF_DATA_DIR/spool is the usual one.")
    if args.verb == "inspect":
        return _inspect(args, directory)
    from awf.wiring.spools import destination, drain_spools, send_set_aside

    send = send_set_aside if args.set_aside else drain_spools
    done = send(directory, destination(settings, args.endpoint), _tell, limit_s=args.limit)
    value = {"sent": done.sent, "left": done.left, "problems": list(done.problems)}
    words = f"{done.sent:,} sent, {done.left:,} left."
    if done.problems:
        words += f" Requests were not taken at once: {', '.join(done.problems)}."
    show(args, value, [(words,)], "")
    return 1 if done.left else 0


def _inspect(args: argparse.Namespace, directory: Path) -> int:
    from awf.orchestration.spool_lanes import folders
    from awf.orchestration.spool_view import look

    lanes = [look(folder) for folder in folders(directory)]
    items = [
        {"lane": lane.name, "service": lane.service, "resource": lane.resource, "is_live": lane.is_live,
         "events": lane.events, "bytes": lane.size_bytes, "oldest": _oldest(lane.first),
         "set_aside": lane.set_aside, "is_damaged": lane.is_damaged}
        for lane in lanes
    ]  # fmt: skip
    return show(args, {"directory": str(directory), "items": items}, [_row(item) for item in items],
                f"No events wait in {directory}.")  # fmt: skip


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    return (
        item["lane"], item["service"], "in use" if item["is_live"] else "left behind",
        f"{item['events']:,} events", f"{item['bytes'] / 1e6:,.1f} MB",
        f"oldest {item['oldest']}" if item["oldest"] else "nothing waits",
        f"{item['set_aside']:,} set aside", "damaged" if item["is_damaged"] else "",
    )  # fmt: skip


def _oldest(first: bytes | None) -> str | None:
    from awf.core.clock import isoformat
    from awf.orchestration.telemetry.record import read

    if first is None:
        return None
    try:
        return isoformat(datetime.fromtimestamp(read([first])[0].time_ns / 1e9, UTC))
    except (ValueError, OverflowError, OSError):
        return None


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
