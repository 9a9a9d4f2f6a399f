"""Run the service: API, pages, webhooks and the watcher."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from awf.cli._run import PARENT_FLAG, run_service

HELP = "run the API, the pages and the watcher"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(PARENT_FLAG, action="store_true", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    from awf.settings import load
    from awf.wiring.service import start_service

    settings = load()
    if settings.workflows:  # a module in the folder where one stands is found, as with `python -m`
        sys.path.insert(0, str(Path.cwd()))
    return run_service(lambda: start_service(settings), with_parent=args.with_parent)
