"""Links by which one person decides one question: made for a letter to that person, checked when they are used.

A link says who it was made for, not what they may do: that is read from their token when they decide.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Final
from urllib.parse import quote, urlencode

from awf.core.types import ApprovalId
from awf.errors import ConfigError, Forbidden

PATH: Final = "/ui/decide/"
_PURPOSE: Final = b"AWF decision links, version 1"


class DecisionLinks:
    """Makes and checks links. The key is derived from the admin's token: whoever has that may decide anyway, replicas
    share it, and a new one makes all links void. Raises ConfigError for an empty one."""

    def __init__(self, admin_token: str, base_url: str) -> None:
        if not admin_token:
            raise ConfigError("links cannot be signed without the admin's token")
        self._key = hmac.new(admin_token.encode(), _PURPOSE, hashlib.sha256).digest()
        self._base = base_url.rstrip("/")

    def url(self, approval_id: ApprovalId, person: str) -> str:
        query = urlencode({"person": person, "key": self._sign(approval_id, person)})
        return f"{self._base}{PATH}{quote(approval_id, safe='')}?{query}"

    def check(self, approval_id: str, person: str, key: str) -> None:
        """Raises Forbidden for a link that was not made here, for this question and this person."""
        expected = self._sign(approval_id, person)
        if not hmac.compare_digest(expected.encode(), key.encode("utf-8", "replace")):
            raise Forbidden(
                "this link was changed, or made with a key that is no longer used",
                hint="Open it from the message as it was sent, or log in and decide on the page of approvals.",
            )

    def _sign(self, approval_id: str, person: str) -> str:
        body = json.dumps([approval_id, person]).encode()
        return hmac.new(self._key, body, hashlib.sha256).hexdigest()
