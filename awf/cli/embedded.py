"""Run the telemetry backend: OTLP in; the Prometheus, Loki, Tempo and Grafana APIs out; rules and alerts."""

from __future__ import annotations

import argparse

from awf.cli._run import PARENT_FLAG, run_service

HELP = "run the embedded telemetry backend"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(PARENT_FLAG, action="store_true", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    from awf.settings import load
    from awf.wiring.telemetry import start_telemetry

    settings = load()
    return run_service(lambda: start_telemetry(settings), with_parent=args.with_parent)
