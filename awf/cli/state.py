"""Copy the state in a SQLite file into the database that AWF_DATABASE_URL names, which must be empty.

Stop the service first. The file stays as it is.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from awf.cli._client import add_output, show
from awf.errors import ConfigError

HELP = "move state from SQLite to PostgreSQL"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", choices=("copy",), help="what to do: copy the file into the empty database")
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="FILE",
        help="the SQLite file (default: AWF_DATA_DIR/state.db)",
    )
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    from awf.settings import load
    from awf.wiring.state import copy_state

    settings = load()
    if not settings.database_url:
        raise ConfigError(
            "AWF_DATABASE_URL is not set: there is nowhere to copy to",
            hint="For example AWF_DATABASE_URL=postgresql://awf@db.example.com/awf.",
        )
    copied = asyncio.run(copy_state(settings, args.source or settings.data_dir / "state.db"))
    rows = [(name, str(count)) for name, count in copied.items() if count]
    show(args, copied, [("table", "rows"), *rows], "The file was empty.")
    return 0
