"""HTTP to other processes of AWF: one client factory, problem details turned back into our errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from awf import errors

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def client(
    base_url: str,
    *,
    token: str = "",
    setting: str = "AWF_TOKEN",
    timeout_s: float = 10.0,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """Return a client for one server; `token` becomes a bearer header. Loopback never goes by a proxy.

    Raises ConfigError for a token that no header can carry; the message names its setting and does not show it.
    """
    if not (token.isascii() and token.isprintable()):
        raise errors.ConfigError(
            f"the token for {base_url} has characters that a token cannot have",
            hint=f"Set {setting} to the token as it was printed, without quotes or line breaks.",
        )
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    is_local = httpx.URL(base_url).host in LOOPBACK
    return httpx.AsyncClient(
        base_url=base_url, headers=headers, timeout=timeout_s, transport=transport, trust_env=not is_local
    )


@contextmanager
def reaching(what: str, url: str) -> Iterator[None]:
    """Turn a failed connection into `Unavailable` that names the server and its address."""
    try:
        yield
    except httpx.HTTPError as error:
        raise errors.Unavailable(
            f"{what} at {url} does not answer: {str(error) or type(error).__name__}",
            hint="Check that it is running and that the address is right.",
        ) from error


def raise_for_problem(response: httpx.Response) -> None:
    """Raise the error that a response stands for; does nothing below 400."""
    if response.status_code < 400:
        return
    try:
        body = response.json()
    except ValueError:
        body = {}
    problem = body if isinstance(body, dict) else {}
    # Grafana's errors have a `message` where problem details have a `detail`.
    detail = str(
        problem.get("detail") or problem.get("message") or response.text[:200] or response.reason_phrase
    )
    raise _by_status(response.status_code)(detail, hint=str(problem.get("hint", "")))


def _by_status(status: int) -> type[errors.AwfError]:
    kinds = (
        errors.MalformedPayload, errors.Unauthorized, errors.Forbidden, errors.NotFound, errors.Conflict,
        errors.Expired, errors.TooLarge, errors.InvalidInput, errors.Overloaded,
    )  # fmt: skip
    return next((kind for kind in kinds if kind.http_status == status), errors.Unavailable)
