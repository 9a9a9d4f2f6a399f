"""List the channels by which people are told, or send a test notice by all of them or by one. No server is needed.

exit codes of this command:
  0  listed, or every channel took the test
  1  a channel did not take it
"""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

from awf.cli._client import add_output, show
from awf.errors import AwfError, InvalidInput

if TYPE_CHECKING:
    from awf.agents.telling import Channel

HELP = "list or test the channels by which people are told"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", nargs="?", choices=("list", "test"), default="list")
    parser.add_argument("channel", nargs="?", help="test only this one")
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    from awf.settings import load
    from awf.wiring.channels import channels_of

    channels = channels_of(load()).by_name
    if args.verb == "list":
        items = [
            {"name": each.name, "kinds": sorted(each.kinds), "severities": sorted(each.severities)}
            for each in channels.values()
        ]
        rows = [
            (i["name"], ", ".join(i["kinds"]), ", ".join(i["severities"]) or "any severity") for i in items
        ]
        return show(args, {"items": items}, rows, "")
    if args.channel not in (None, *channels):
        raise InvalidInput(f"there is no channel {args.channel!r}", hint=f"There are {', '.join(channels)}.")
    wanted = [each for each in channels.values() if args.channel in (None, each.name)]
    said = asyncio.run(_test(wanted))
    show(args, {"items": [{"name": name, "error": error} for name, error in said]},
         [(name, error or "taken") for name, error in said], "")  # fmt: skip
    return 1 if any(error for _, error in said) else 0


async def _test(channels: list[Channel]) -> list[tuple[str, str]]:
    return list(
        zip([each.name for each in channels], await asyncio.gather(*map(_send, channels)), strict=True)
    )


async def _send(channel: Channel) -> str:
    """Return what went wrong, empty when the test was taken."""
    from awf.agents.telling import SEND_TIMEOUT_S
    from awf.core.notices import Notice, NoticeKind
    from awf.core.types import IncidentId, new_id

    number = new_id("test")
    notice = Notice(
        number,
        IncidentId(number),
        NoticeKind.TOLD,
        "AWF test",
        "This tries a channel; nothing is wrong.",
        "info",
    )
    try:
        async with asyncio.timeout(SEND_TIMEOUT_S):
            await channel.notifier.send(notice, thread="")
    except TimeoutError:
        return f"no answer within {SEND_TIMEOUT_S:g} s"
    except AwfError as error:
        return error.message
    return ""
