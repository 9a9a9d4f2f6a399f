"""One OTLP request over HTTP."""

from __future__ import annotations

import contextlib
import email.utils
import encodings.idna  # noqa: F401  # else the first request imports these two: see `senders`
import gzip
import netrc  # noqa: F401
import time
from collections.abc import Mapping

import requests

from awf.orchestration.telemetry.endpoints import Endpoint
from awf.orchestration.telemetry.partial_success import complaint_of
from awf.orchestration.telemetry.senders import (
    CREDENTIALS,
    REJECTED,
    SERVER_ERROR,
    THROTTLED,
    TIMEOUT,
    TOO_LARGE,
    UNREACHABLE,
    WRONG_ENDPOINT,
    Undelivered,
)


class HttpSender:
    """OTLP over HTTP with protobuf bodies."""

    _REASONS: Mapping[int, str] = {401: CREDENTIALS, 403: CREDENTIALS, 404: WRONG_ENDPOINT, 405: WRONG_ENDPOINT, 408: TIMEOUT,
                413: TOO_LARGE, 429: THROTTLED, 502: UNREACHABLE, 503: UNREACHABLE, 504: TIMEOUT}  # fmt: skip

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._session = requests.Session()
        self._session.headers.update({"content-type": "application/x-protobuf", **dict(endpoint.headers)})
        if endpoint.use_gzip:
            self._session.headers["content-encoding"] = "gzip"
        # Given with each request: the session's own would be overruled by REQUESTS_CA_BUNDLE.
        self._verify = str(endpoint.certificate) if endpoint.certificate else None
        if endpoint.client_certificate and endpoint.client_key:
            self._session.cert = (str(endpoint.client_certificate), str(endpoint.client_key))

    def send(self, request: bytes, limit_s: float) -> str:
        timeout_s = min(limit_s, self._endpoint.timeout_s)
        body = gzip.compress(request, compresslevel=1) if self._endpoint.use_gzip else request
        try:
            answer = self._session.post(
                self._endpoint.url, data=body, timeout=timeout_s, verify=self._verify, allow_redirects=False
            )
        except requests.Timeout as error:
            raise Undelivered(TIMEOUT, str(error)) from error
        # requests' own errors, a certificate that cannot be read, a host that is no name.
        except (OSError, ValueError) as error:
            raise Undelivered(UNREACHABLE, str(error)) from error
        if answer.status_code < 300:
            return complaint_of(self._endpoint.signal, answer.content)
        raise Undelivered(
            self._reason(answer.status_code),
            f"HTTP {answer.status_code}: {answer.text[:200]}",
            _retry_after(answer.headers.get("retry-after", "")),
        )

    def close(self) -> None:
        self._session.close()

    def _reason(self, status: int) -> str:
        if status in self._REASONS:
            return self._REASONS[status]
        if status < 400:
            return WRONG_ENDPOINT
        return REJECTED if status < 500 else SERVER_ERROR


def _retry_after(text: str) -> float:
    """Return the seconds that a Retry-After header asks for, in either of its forms."""
    if text.isdecimal():
        return float(text)
    with contextlib.suppress(TypeError, ValueError):
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    return 0.0
