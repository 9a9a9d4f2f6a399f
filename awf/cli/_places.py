"""Arguments that name a place: of a rule, of a play."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from awf.core.incidents import Target

PARTS = ("workflow", "step", "agent")


def add_place(parser: argparse.ArgumentParser) -> None:
    """Add `--workflow`, `--step`, `--agent` and `--provider`."""
    for part in PARTS:
        parser.add_argument(f"--{part}", default="", metavar="ID", help=f"at this {part}")
    parser.add_argument("--provider", default="", metavar="NAME", help="at this provider of a model")


def place_of(args: argparse.Namespace) -> Target:
    from awf.core.incidents import Target

    return Target(workflow_id=args.workflow, step_id=args.step, agent_id=args.agent, provider=args.provider)
