"""Write the generated files (dashboards, rules, Grafana's alerts, settings page, runbooks), or check them.

A file that somebody edited is not overwritten: it is named, and nothing is written. `--force` writes it and keeps
the edited copy in `.awf-edited/`. Files that are no longer generated are removed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from awf.errors import ConfigError, InvalidInput

if TYPE_CHECKING:
    from awf.generate.files import Plan

HELP = "write the dashboards, rules, settings page and runbooks, or --check them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 when a file is out of date"
    )
    parser.add_argument("--output", type=Path, default=Path(), help="folder to write into (default: here)")
    parser.add_argument(
        "--public-url", metavar="URL", help="where people reach AWF, for the alerts' links to runbooks"
    )
    parser.add_argument(
        "--slos",
        type=Path,
        metavar="FILE",
        help="service level objectives (default: AWF_SLO_FILE or the packaged)",
    )
    parser.add_argument(
        "--force", action="store_true", help="overwrite files that were edited, and keep copies of them"
    )
    parser.add_argument("--json", action="store_true", help="print JSON for a machine to read")


def run(args: argparse.Namespace) -> int:
    from awf.generate.files import carry_out, plan, with_record

    _check_address(args.public_url)
    files = with_record(_render(args))
    try:
        todo = plan(args.output, files)
        kept = [] if args.check else carry_out(args.output, files, todo, force=args.force)
    except OSError as error:
        raise ConfigError(
            f"the folder {args.output} cannot be written: {error.strerror} ({error.filename})",
            hint="Give another one with --output.",
        ) from error
    gone = [*todo.obsolete, *todo.obsolete_edited]
    if args.json:
        said = {"files": sorted(files), "changed": todo.changed, "edited": todo.by_hand, "removed": gone}
        print(json.dumps(said | {"kept": [str(path) for path in kept]}))
    elif args.check:
        _tell_check(todo, len(files))
    else:
        _tell_written(todo, kept, len(files))
    return 1 if args.check and (todo.changed or gone) else 0


def _check_address(url: str | None) -> None:
    """Raise InvalidInput for an address that no browser would follow: it is written into every alert and dashboard."""
    if url is None:
        return
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and url.isprintable()
    except ValueError:
        is_address = False
    if not is_address or " " in url:
        raise InvalidInput(
            f"--public-url {url!r} is not an http address", hint="For example https://awf.example.com"
        )


def _render(args: argparse.Namespace) -> dict[str, str]:
    """Return every file's text: nothing is written before all of them are there."""
    from awf.api.ui.runbooks import runbook_pages
    from awf.generate.output import render
    from awf.generate.slo import load_slos
    from awf.settings import load
    from awf.wiring.settings_page import settings_page

    slos = load_slos(args.slos or load().slo_file)
    files = render(args.public_url or "", slos)
    return files | {"docs/settings.md": settings_page()} | runbook_pages()


def _tell_check(todo: Plan, count: int) -> None:
    for path in todo.outdated:
        print(f"out of date: {path}")
    for path in todo.by_hand:
        print(f"edited: {path}")
    for path in (*todo.obsolete, *todo.obsolete_edited):
        print(f"no longer generated: {path}")
    is_current = not (todo.changed or todo.obsolete or todo.obsolete_edited)
    print(f"{count} generated files are up to date." if is_current else "Run `awf generate`.")


def _tell_written(todo: Plan, kept: list[Path], count: int) -> None:
    for path in todo.changed:
        print(f"wrote {path}")
    for path in (*todo.obsolete, *todo.obsolete_edited):
        print(f"removed {path}")
    for copy in kept:
        print(f"kept what was edited: {copy}")
    print(f"{count} generated files, {len(todo.changed)} written.")
