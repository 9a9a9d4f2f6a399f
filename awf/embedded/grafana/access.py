"""Who may call: reads are open to this machine, writes need the token."""

from __future__ import annotations

import hmac
import ipaddress

from starlette.types import Scope

from awf.errors import Unauthorized


class Access:
    """Reads are open to this machine; writes, and reads from elsewhere, need the token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def check(self, scope: Scope, *, write: bool) -> None:
        """Raises Unauthorized."""
        if not write and _is_local(scope):
            return
        headers = dict(scope["headers"])
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        known = bool(self._token) and hmac.compare_digest(given.strip(), self._token.encode())
        if scheme.lower() != b"bearer" or not known:
            raise Unauthorized(
                "Invalid API key" if given else "Unauthorized",
                hint="Send the token of AWF_GRAFANA_TOKEN as 'Authorization: Bearer ...'",
            )


def _is_local(scope: Scope) -> bool:
    client = scope.get("client")
    if client is None:
        return False
    try:
        return ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False
