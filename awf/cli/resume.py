"""Let the watcher act again; held incidents go on."""

from __future__ import annotations

import argparse

HELP = "let the watcher act again"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    del parser


def run(args: argparse.Namespace) -> int:
    from awf.cli._client import call

    del args
    call("POST", "/watcher/resume")
    print("The watcher acts again.")
    return 0
