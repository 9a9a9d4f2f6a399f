"""Mark a moment in Grafana: a deployment, so that dashboards show what changed when something begins to fail."""

from __future__ import annotations

import argparse
import json

from awf.cli._client import add_output
from awf.errors import AwfError, Forbidden, InvalidInput, NotFound, Unauthorized

HELP = "mark a deployment on the dashboards"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=["deployment"], help="what the mark is")
    parser.add_argument("text", help="what was deployed, for example 'billing-agent 1.4.2'")
    parser.add_argument(
        "--tag", action="append", default=[], metavar="TAG", help="one more tag; may be repeated"
    )
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    import asyncio

    if not args.text.strip() or not all(tag.strip() for tag in args.tag):
        raise InvalidInput(
            "the text or a tag of the mark is empty",
            hint="Say what was deployed: awf annotate deployment 'billing-agent 1.4.2'. Is a variable not set?",
        )
    tags = ["awf", args.kind, *args.tag]
    number = asyncio.run(_post(args.text, tags))
    if args.json:
        print(json.dumps({"id": number, "text": args.text, "tags": tags}))
    else:
        print(f"Marked in Grafana as annotation {number}.")
    return 0


async def _post(text: str, tags: list[str]) -> int:
    from awf.core.http import client, raise_for_problem, reaching
    from awf.settings import load
    from awf.wiring.secrets import find

    settings = load()
    token = find(settings, "grafana_token")
    async with client(settings.grafana_base, token=token, setting="AWF_GRAFANA_TOKEN") as http:
        with reaching("Grafana", settings.grafana_base):
            response = await http.post("/api/annotations", json={"text": text, "tags": tags})
    try:
        raise_for_problem(response)
        return int(response.json()["id"])
    except (Unauthorized, Forbidden) as error:
        hint = "Set AWF_GRAFANA_TOKEN to the token of a service account that may write annotations."
        raise type(error)(
            f"Grafana at {settings.grafana_base} refuses: {error.message}", hint=hint
        ) from error
    except (NotFound, ValueError, KeyError, TypeError) as error:
        hint = "Set AWF_GRAFANA_URL to where Grafana is."
        raise AwfError(f"what answers at {settings.grafana_base} is not Grafana", hint=hint) from error
