"""Look after the stack of compose.yaml: secrets, Grafana's service accounts, versions.

`secrets` and `bootstrap` are what compose runs at each start; both change nothing that is already right.
`versions` puts the pinned and the running version of each program side by side. `upgrade-check` says what must be
done before the pinned versions are started, and exits 1 when there is something.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from awf.cli._client import add_output
from awf.errors import InvalidInput

HELP = "look after the stack of compose.yaml: secrets, accounts, versions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    secrets = verbs.add_parser("secrets", help="make missing secrets and hand them to the containers")
    secrets.add_argument("--folder", type=Path, default=Path("secrets"), help="default: secrets/")
    secrets.add_argument("--volumes", type=Path, help="the volumes, to be given to their programs' users")
    secrets.add_argument("--show", action="store_true", help="only print what a person needs to know")

    bootstrap = verbs.add_parser("bootstrap", help="make Grafana's service accounts for mcp-grafana")
    bootstrap.add_argument("--admin", default="admin", help="Grafana's administrator (default: admin)")
    bootstrap.add_argument("--admin-password-file", type=Path, required=True, metavar="FILE")
    bootstrap.add_argument("--read-token", type=Path, required=True, metavar="FILE", help="where it goes")
    bootstrap.add_argument("--annotate-token", type=Path, required=True, metavar="FILE", help="where it goes")
    bootstrap.add_argument("--wait", type=float, default=180.0, metavar="SECONDS", help="for Grafana")

    versions = verbs.add_parser("versions", help="show pinned and running versions")
    check = verbs.add_parser("upgrade-check", help="say what must be done before an upgrade")
    check.add_argument(
        "--running", action="append", default=[], metavar="PROGRAM=VERSION",
        help="take this for the running version, such as mimir=2.14.0; repeatable",
    )  # fmt: skip
    for verb in (versions, check):
        verb.add_argument("--file", type=Path, default=Path("compose.yaml"), help="default: compose.yaml")
        verb.add_argument(
            "--at", action="append", default=[], metavar="PROGRAM=URL",
            help="where a program answers, if not where compose has it; repeatable",
        )  # fmt: skip
        add_output(verb)


def run(args: argparse.Namespace) -> int:
    if args.verb == "secrets":
        return _secrets(args)
    if args.verb == "bootstrap":
        return _bootstrap(args)
    from awf.cli import _stack_versions

    if args.verb == "versions":
        return _stack_versions.versions(args, pairs(args.at, "--at"))
    return _stack_versions.upgrade_check(args, pairs(args.at, "--at"), pairs(args.running, "--running"))


def pairs(texts: list[str], option: str) -> dict[str, str]:
    """Return NAME=VALUE options as a mapping. Raises InvalidInput."""
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not (name and sign and value):
            raise InvalidInput(
                f"{option} {text!r} is not PROGRAM=...", hint=f"For example {option} loki=..., once each."
            )
        found[name] = value
    return found


def _secrets(args: argparse.Namespace) -> int:
    from awf.stack.secret_folder import prepare, shown

    if args.show:
        _print_secrets(shown(args.folder))
        return 0
    made = prepare(args.folder, args.volumes)
    if not made:
        print("All secrets are there.")
        return 0
    print(f"Made: {', '.join(secret.name for secret in made)}.")
    lines = shown(args.folder, made)
    if lines:
        print("\nWhat you need to log in, printed this once:")
        _print_secrets(lines)
        print("Again: docker compose run --rm secrets awf stack secrets --show\n")
    return 0


def _print_secrets(lines: list[tuple[str, str]]) -> None:
    width = max((len(name) for name, _ in lines), default=0)
    for name, value in lines:
        print(f"  {name.ljust(width)}  {value}")


def _bootstrap(args: argparse.Namespace) -> int:
    from awf.settings import load
    from awf.stack.grafana_accounts import GrafanaAccounts, accounts
    from awf.stack.secret_folder import read_file

    grafana = GrafanaAccounts(
        load().grafana_base, args.admin, read_file(args.admin_password_file),
        tell=lambda text: print(f"Grafana: {text}.", flush=True),
    )  # fmt: skip
    asyncio.run(grafana.ensure(accounts(args.read_token, args.annotate_token), wait_s=args.wait))
    return 0
