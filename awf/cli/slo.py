"""Write a copy of the service level objectives to edit, check such a file, or list what it says.

`init` writes FILE (slos.yaml by default) and never overwrites one. `check` and `list` read FILE, by default
AWF_SLO_FILE, by default the packaged SLOs. What a mistake is and where it stands is said in one sentence.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from awf.errors import ConfigError

HELP = "write, check or list the service level objectives"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    init = verbs.add_parser("init", help="write a copy of the packaged SLOs, to be edited")
    init.add_argument(
        "file",
        nargs="?",
        type=Path,
        default=Path("slos.yaml"),
        metavar="FILE",
        help="where it goes (default: slos.yaml)",
    )
    for name, text in (("check", "say what is wrong in a file"), ("list", "show the SLOs")):
        verb = verbs.add_parser(name, help=text)
        verb.add_argument(
            "file", nargs="?", type=Path, metavar="FILE", help="default: AWF_SLO_FILE or the packaged one"
        )
        verb.add_argument("--json", action="store_true", help="print JSON for a machine to read")


def run(args: argparse.Namespace) -> int:
    return _init(args.file) if args.verb == "init" else _show(args)


def _init(path: Path) -> int:
    from awf.generate.slo import DEFAULT_FILE

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(DEFAULT_FILE.read_text(encoding="utf-8"))
    except FileExistsError as error:
        raise ConfigError(f"{path} exists", hint="Give another name: awf slo init FILE.") from error
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}", hint="Give another place."
        ) from error
    print(f"wrote {path}; edit it, then: awf slo check {path}")
    print(f"to use it: AWF_SLO_FILE={path.resolve()}")
    return 0


def _show(args: argparse.Namespace) -> int:
    from awf.generate.slo import DEFAULT_FILE, load_slos
    from awf.generate.slo_rules import slo_groups
    from awf.settings import load

    path = args.file or load().slo_file or DEFAULT_FILE
    slos = load_slos(path)
    if args.json:
        listed = [
            {"name": slo.name, "objective": slo.objective, "window": slo.window, "group_by": slo.group_by}
            for slo in slos
        ]
        print(json.dumps({"file": str(path), "slos": listed}))
        return 0
    print(path)
    for slo in slos:
        print(
            f"  {slo.name:<24} {slo.objective:.4g} over {slo.window}, by {', '.join(slo.group_by)}: {slo.title}"
        )
    if args.verb == "check":
        groups = slo_groups(slos)
        rules = sum(len(group.recording) + len(group.alerts) for group in groups)
        print(f"{len(slos)} SLO{'' if len(slos) == 1 else 's'}, good for {rules} rules.")
    return 0
