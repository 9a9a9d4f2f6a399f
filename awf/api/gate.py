"""The ASGI gate before every route: host, identity, size, CSRF, in that order; and the response headers.

Identity comes before the body is read, so that a stranger cannot make the server buffer anything.
"""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qs, quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from awf.api.access import COOKIE
from awf.api.problems import problem_response
from awf.api.runtime import Runtime
from awf.core.ports import Session
from awf.errors import AwfError, Forbidden, TooLarge, Unauthorized

OPEN_PATHS: Final = frozenset({"/healthz", "/readyz", "/ui/login"})
OPEN_PREFIXES: Final = ("/webhooks/", "/ui/static/", "/ui/decide/")  # each proves in its own way who asks
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
BODY_MAX_BYTES: Final = 1_000_000
EVENTS_MAX_BYTES: Final = 8_000_000

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


class Gate:
    """Lets a request through with `awf.principal` (and `awf.session`) in its scope, or answers it."""

    def __init__(self, app: ASGIApp, runtime: Runtime) -> None:
        self._app = app
        self._runtime = runtime
        public = urlsplit(runtime.public_url).hostname
        self._hosts = LOOPBACK | ({public} if public else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = _with_headers(send)
        headers = Headers(scope=scope)
        try:
            self._check_host(headers)
            await self._identify(scope, headers)
            body = b""
            if scope["method"] not in SAFE_METHODS:
                body = await _read_body(receive, headers, self._limit(scope["path"]))
                _check_forgery(scope, headers, body)
        except AwfError as error:
            await _refusal(scope, headers, error)(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)

    def _check_host(self, headers: Headers) -> None:
        """A page of another site that resolves its name to this address (DNS rebinding) sends its own."""
        if not self._runtime.is_loopback:
            return
        host = headers.get("host", "")
        if _host_name(host) not in self._hosts:
            raise Forbidden(
                f"this server does not answer for host {host[:100]!r}",
                hint="Use 127.0.0.1 or localhost, or set AWF_PUBLIC_URL.",
            )

    async def _identify(self, scope: Scope, headers: Headers) -> None:
        path = scope["path"]
        if path in OPEN_PATHS or path.startswith(OPEN_PREFIXES):
            return
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            scope["awf.principal"] = await self._runtime.tokens.authenticate(token.strip())
            if scope["awf.principal"] is None:
                raise Unauthorized("the token is unknown or was revoked", hint="Ask an admin for a new one.")
            return
        session = await self._session(headers)
        if session is None:
            raise Unauthorized(
                "this needs a token", hint="Send Authorization: Bearer <token>, or log in at /ui/login."
            )
        scope["awf.session"] = session
        scope["awf.principal"] = session.principal

    async def _session(self, headers: Headers) -> Session | None:
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return None
        return await self._runtime.sessions.find(cookie.value) if cookie else None

    def _limit(self, path: str) -> int:
        if path.startswith("/webhooks/"):
            return self._runtime.webhook_max_bytes
        return EVENTS_MAX_BYTES if path.startswith("/api/v1/engines/") else BODY_MAX_BYTES


def _host_name(header: str) -> str | None:
    try:
        return urlsplit(f"//{header}").hostname
    except ValueError:  # such as "[::1"
        return None


def _check_forgery(scope: Scope, headers: Headers, body: bytes) -> None:
    # Only browsers send this header. Webhooks too: without a secret a local one is believed.
    if headers.get("sec-fetch-site") == "cross-site":
        raise Forbidden("a page of another site sent this request")
    session: Session | None = scope.get("awf.session")
    if session is None:
        return
    sent = headers.get("x-csrf-token", "")
    if not sent and scope["path"].startswith("/ui/"):
        sent = parse_qs(body.decode("utf-8", "replace")).get("csrf_token", [""])[0]
    if not hmac.compare_digest(sent.encode(), session.csrf_token.encode()):
        raise Forbidden(
            "the form's CSRF token is missing or old", hint="Load the page again and repeat what you did."
        )


def _refusal(scope: Scope, headers: Headers, error: AwfError) -> Response:
    path = scope["path"]
    if not isinstance(error, Unauthorized) or not (path in ("/", "/docs") or path.startswith("/ui")):
        return problem_response(error)
    login = f"/ui/login?next={quote(path)}"
    if headers.get("hx-request"):
        return Response(status_code=401, headers={"HX-Redirect": login})
    return RedirectResponse(login, status_code=303)


async def _read_body(receive: Receive, headers: Headers, limit: int) -> bytes:
    """Read the body, whatever length it declares. Raises TooLarge at the first byte above the limit."""
    too_large = TooLarge(f"the body has more than {limit} bytes", hint="Send less at once.")
    declared = headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise too_large
        chunks.append(chunk)
        if not message.get("more_body", False):
            break
    return b"".join(chunks)


def _replay(body: bytes, receive: Receive) -> Receive:
    is_sent = False

    async def replay() -> Message:
        nonlocal is_sent
        if is_sent:
            return await receive()
        is_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _with_headers(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return wrapped
