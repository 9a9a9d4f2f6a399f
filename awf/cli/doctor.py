"""Open everything that is configured and say what to fix. Exits 1 when something is wrong."""

from __future__ import annotations

import argparse
import asyncio
import json

HELP = "check settings, programs and servers"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON for a machine to read")


def run(args: argparse.Namespace) -> int:
    from awf.settings import load
    from awf.wiring.doctor import examine

    findings = asyncio.run(examine(load()))
    if args.json:
        print(json.dumps([finding.as_dict() for finding in findings]))
    else:
        for finding in findings:
            print(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.what:<22} {finding.detail}")
            if finding.hint:
                print(f"{'':30}{finding.hint}")
    return 0 if all(finding.ok for finding in findings) else 1
