"""`awf`: finds the command and turns errors into one sentence and an exit code.

Every command is one module here that exposes `HELP`, `add_arguments(parser)` and `run(args) -> int`;
what a command needs is imported inside `run`, so that `--help` stays fast.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys

from awf import __version__
from awf.cli._logging import configure_logging
from awf.errors import AwfError, MissingDependency

logger = logging.getLogger(__name__)

COMMANDS = (
    "up", "serve", "embedded", "demo", "generate", "doctor", "incidents", "approvals", "executions",
    "audit", "token", "pause", "resume", "policy", "playbooks", "channels", "spool", "redact", "state", "stack", "slo",
    "annotate", "eval",
)  # fmt: skip

EXIT_CODES = """\
exit codes:
  0  done                              4  a program or an extra is not installed
  1  unexpected error, or a check that found something
  2  a wrong setting or argument       5  the data directory cannot be used
  3  a port is in use                  6  a workflow that cannot run
  7  a server that does not answer   130  stopped by Ctrl-C
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="awf",
        description="Observability that acts, for teams that run AI-agent workflows.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"awf {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = importlib.import_module(f"awf.cli.{name}")
        command = commands.add_parser(
            name, help=module.HELP, description=module.__doc__, epilog=EXIT_CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    args = build_parser().parse_args(argv)
    configure_logging()
    try:
        code = int(args.run(args))
        sys.stdout.flush()
        return code
    except AwfError as error:
        return _say(error)
    except ModuleNotFoundError as error:
        missing = MissingDependency(
            f"the package {error.name} is not installed", hint="pip install 'awf[all]'"
        )
        return _say(missing)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output (head, less) went away: not an error, but stdout is gone.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        # The boundary: what nobody foresaw is one sentence too. A child of `awf up` has a log for the rest.
        is_child = getattr(args, "with_parent", False)
        logger.log(logging.ERROR if is_child else logging.DEBUG, "unexpected error", exc_info=error)
        hint = "AWF_LOG_LEVEL=DEBUG shows where it happened; please report it."
        return _say(AwfError(f"unexpected {type(error).__name__}: {error}", hint=hint))


def _say(error: AwfError) -> int:
    print(f"awf: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"     {error.hint}", file=sys.stderr)
    return error.exit_code
