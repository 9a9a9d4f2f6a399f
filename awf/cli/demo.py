"""Run the demo workload against a running AWF, or turn a fault of a running demo on or off."""

from __future__ import annotations

import argparse
from pathlib import Path

from awf.cli._run import PARENT_FLAG, run_service
from awf.errors import DataDirError, InvalidInput

HELP = "run the demo workload, or inject a fault into it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", nargs="?", choices=("run", "fault", "heal"), default="run")
    parser.add_argument("fault", nargs="?", help="name of the fault to inject or to end")
    parser.add_argument("--target", default="", help="the agent, provider, system, workflow or step it hits")
    parser.add_argument("--intensity", type=float, metavar="0..1", help="how bad it is")
    parser.add_argument(
        "--ledger", type=Path, metavar="FILE", help="of `run`: write what users got, a JSON line a request"
    )
    parser.add_argument(
        "--seed", type=int, default=7, help="of `run`: what latencies and traffic are drawn from"
    )
    parser.add_argument(PARENT_FLAG, action="store_true", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    from awf.settings import load
    from awf.wiring.demo import fault_names, start_demo, switch_fault

    settings = load()
    if args.verb == "run":
        return run_service(
            lambda: start_demo(settings, seed=args.seed, ledger_path=args.ledger),
            with_parent=args.with_parent,
        )
    names = fault_names()
    if args.fault not in names:
        raise InvalidInput(f"no fault is named {args.fault!r}", hint=f"Faults: {', '.join(names)}.")
    try:
        switch_fault(
            settings, args.fault, on=args.verb == "fault", target=args.target, intensity=args.intensity
        )
    except OSError as error:
        raise DataDirError(
            f"the demo in {settings.data_dir} cannot be told: {error.strerror}",
            hint="Start it with `awf up`, or set AWF_DATA_DIR to its data directory.",
        ) from error
    print(f"{args.fault}: {'on' if args.verb == 'fault' else 'off'} within a second.")
    return 0
