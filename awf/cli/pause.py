"""Stop the watcher from acting: it goes on to investigate, and holds every incident, until `awf resume`."""

from __future__ import annotations

import argparse

HELP = "kill switch: the watcher investigates but does not act"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    del parser


def run(args: argparse.Namespace) -> int:
    from awf.cli._client import call

    del args
    call("POST", "/watcher/pause")
    print("The watcher is paused. Incidents are held until `awf resume`.")
    return 0
