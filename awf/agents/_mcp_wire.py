"""MCP's messages over HTTP: addresses, headers, answers, and refusals in words."""

from __future__ import annotations

import json
from typing import Any

import httpx

from awf.core.escape import plain_text
from awf.errors import ConfigError, Unavailable

PATH = "/mcp"


class Refused(Unavailable):
    """The server is there and will not serve us: something is configured wrongly, here or there."""


class Lost(Unavailable):
    """The connection failed; `was_sent` says whether the request may have been carried out."""

    def __init__(self, message: str, *, hint: str, was_sent: bool) -> None:
        super().__init__(message, hint=hint)
        self.was_sent = was_sent


class RpcFailed(Exception):
    """A JSON-RPC error: the tool does not exist, or the arguments are not what it takes."""


def endpoint(url: str, setting: str) -> httpx.URL:
    """Return the address to post to; without a path it is mcp-grafana's own. Raises ConfigError."""
    try:
        found = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        # What stands before an @ may be a password.
        where = "..." + url[url.rindex("@") :] if "@" in url else url
        raise ConfigError(f"{setting}_URL={where!r} is not an address: {error}") from error
    if found.userinfo:
        raise ConfigError(
            f"{setting}_URL has a user or a password in it, which mcp-grafana does not take",
            hint=f"Leave it out; a token goes into {setting}_TOKEN.",
        )
    if found.scheme not in ("http", "https") or not found.host:
        raise ConfigError(
            f"{setting}_URL={plain_text(str(found), 200)!r} is not an http address",
            hint=f"For example http://mcp-grafana-read:8000{PATH}; a token goes into {setting}_TOKEN.",
        )
    return found if found.path.strip("/") else found.copy_with(path=PATH)


def headers(token: str, setting: str) -> dict[str, str]:
    """Return a request's headers. Raises ConfigError for a token that no header can carry, without showing it."""
    if not (token.isascii() and token.isprintable()):
        raise ConfigError(
            f"{setting}_TOKEN has characters that a token cannot have",
            hint="Is it the file of another secret, or has it line breaks within?",
        )
    sent = {"Accept": "application/json, text/event-stream"}
    return sent | ({"Authorization": f"Bearer {token}"} if token else {})


def lost(url: httpx.URL, error: httpx.HTTPError) -> Lost:
    was_sent = not isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol))
    return Lost(
        f"mcp-grafana at {url} does not answer: {str(error) or type(error).__name__}",
        hint="Is it running, and can it be reached from here?",
        was_sent=was_sent,
    )


def require_accepted(response: httpx.Response, url: httpx.URL, setting: str) -> None:
    """Raise Refused or Unavailable for an answer that is none."""
    status = response.status_code
    if status == 200:
        return
    host = url.netloc.decode("ascii")
    match status:
        case 401:
            what, hint = (
                "does not accept our token",
                f"{setting}_TOKEN must be the MCP_GRAFANA_SERVER_TOKEN of that server.",
            )
        case 403:
            what, hint = (
                f"does not answer for the host {host!r}",
                f"Start it with --allowed-hosts {host}, or use a name that it knows in {setting}_URL.",
            )
        case 404 | 405:
            what, hint = (
                f"has nothing at {url.path}",
                f"Its endpoint is {PATH} unless --endpoint-path or --base-path say otherwise, and only with "
                "--transport streamable-http.",
            )
        case _:
            said = plain_text(response.text, 200)
            raise Unavailable(f"mcp-grafana at {url} answers {status}: {said}", hint="Its log says why.")
    raise Refused(f"mcp-grafana at {url} {what} ({status})", hint=hint)


def result(response: httpx.Response, number: int) -> Any:
    """Return the result of request `number`. Raises RpcFailed, Unavailable."""
    for message in _messages(response):
        if isinstance(message, dict) and message.get("id") == number:
            if "error" in message:
                error = message["error"]
                raise RpcFailed(
                    plain_text(str(error.get("message") if isinstance(error, dict) else error), 500)
                )
            return message.get("result")
    raise Unavailable(
        f"mcp-grafana at {response.url} answered something that is no MCP: {plain_text(response.text, 200)}"
    )


def _messages(response: httpx.Response) -> list[Any]:
    """Read a JSON answer, or one that a server sends as a stream of events."""
    text = response.text
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        texts = [line.removeprefix("data:") for line in text.splitlines() if line.startswith("data:")]
    else:
        texts = [text]
    try:
        return [json.loads(each) for each in texts]
    except ValueError:
        return []
