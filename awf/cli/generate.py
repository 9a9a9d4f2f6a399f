"""Write the generated files (dashboards, rules, settings page, runbooks), or check that they are up to date."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from awf.errors import ConfigError

HELP = "write the dashboards, rules, settings page and runbooks, or --check them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 when a file is out of date"
    )
    parser.add_argument("--output", type=Path, default=Path(), help="folder to write into (default: here)")
    parser.add_argument(
        "--public-url", metavar="URL", help="where people reach AWF, for the alerts' links to runbooks"
    )
    parser.add_argument("--json", action="store_true", help="print JSON for a machine to read")


def run(args: argparse.Namespace) -> int:
    from awf.api.ui.runbooks import runbooks_page
    from awf.generate.output import PUBLIC_URL, outdated, render, write
    from awf.wiring.settings_page import settings_page

    files = render(args.public_url or PUBLIC_URL)
    files |= {"docs/settings.md": settings_page(), "docs/runbooks.md": runbooks_page()}
    try:
        changed = outdated(args.output, files) if args.check else write(args.output, files)
    except OSError as error:
        raise ConfigError(
            f"the folder {args.output} cannot be written: {error.strerror} ({error.filename})",
            hint="Give another one with --output.",
        ) from error
    if args.json:
        print(json.dumps({"files": sorted(files), "changed": changed}))
    elif args.check:
        for path in changed:
            print(f"out of date: {path}")
        print("Run `awf generate`." if changed else f"{len(files)} generated files are up to date.")
    else:
        for path in changed:
            print(f"wrote {path}")
        print(f"{len(files)} generated files, {len(changed)} written.")
    return 1 if args.check and changed else 0
