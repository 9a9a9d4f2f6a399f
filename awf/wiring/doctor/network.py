"""What a failed request means, in words: nobody listens, the wrong port, the wrong protocol, a certificate."""

from __future__ import annotations

import httpx

from awf.errors import Unavailable

# What the system, OpenSSL and httpx say -> what it means, and what to do.
_MEANINGS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("connection refused", "errno 111"), "nothing listens there", "Start it with `awf up` or `docker compose up`, or set its address."),
    (("name or service not known", "nodename nor servname", "temporary failure in name resolution", "address lookup failed", "errors resolving", "no address associated"), "the host's name cannot be resolved", "A compose service's name is known inside compose only: from outside use 127.0.0.1 and the published port."),
    (("hostname mismatch", "hostname verification", "not valid for"), "its certificate is for another name", "Use the name that the certificate has."),
    (("certificate has expired",), "its certificate has expired", "Renew it."),
    (("self-signed", "self signed", "unable to get local issuer", "1000007d", "certificate verify failed"), "its certificate is not trusted here", "Set SSL_CERT_FILE (for OTLP: OTEL_EXPORTER_OTLP_CERTIFICATE) to the authority's certificate."),
    (("wrong version number", "wrong_version_number", "100000f7", "record layer failure", "packet length too long"), "it speaks no TLS", "Write http:// instead of https://, or use the TLS port."),
    (("certificate required", "bad certificate"), "it asks for a client certificate", "Set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY."),
    (("speaks http/1.1",), "it speaks HTTP, not gRPC", "Set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, or use the gRPC port (4317)."),
    (("badstatusline", "illegal", "remote end closed", "server disconnected", "connection aborted", "closed the connection", "connection reset", "not speak http/2", "speaks tls"), "it answers, but not in this protocol", "A gRPC port (4317) that is spoken to over HTTP, a TLS port spoken to without TLS, or another program."),
    (("timed out", "timeout", "deadline exceeded"), "it does not answer in time", "Is it overloaded, or does a firewall swallow the packets?"),
    (("proxy",), "a proxy on the way refused", "Add the host to NO_PROXY."),
    (("all connection attempts failed",), "nothing listens there", "Start it with `awf up` or `docker compose up`, or set its address."),
)  # fmt: skip


def meaning(text: str) -> tuple[str, str]:
    """Return what an error's text means and what to do; the text itself where that is not known."""
    lowered = text.lower()
    for signs, words, hint in _MEANINGS:
        if any(sign in lowered for sign in signs):
            return words, hint
    return text[:200] or "no answer", "Check that it is running and that the address is right."


def unreachable(url: str, error: Exception) -> Unavailable:
    """Return the error that says in words why a request to `url` failed."""
    causes: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(causes) < 6:
        causes.append(f"{type(cause).__name__} {cause}")
        cause = cause.__cause__ or cause.__context__
    words, hint = meaning(" ".join(causes))
    if isinstance(error, httpx.TimeoutException):
        words, hint = meaning("timed out")
    return Unavailable(f"{url}: {words}", hint=hint)
