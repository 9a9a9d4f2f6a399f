"""Every error AWF raises on purpose, in one tree.

    AwfError
    ├── ConfigError            a setting or file that cannot be used        exit 2
    │   ├── PortInUse          another process listens there                exit 3
    │   ├── MissingDependency  a program or an extra is not installed       exit 4
    │   └── DataDirError       the data directory cannot be used            exit 5
    ├── WorkflowError          a workflow that cannot run (cycle, unknown agent)  exit 6
    ├── QueryError             a query the language does not accept         400
    │   ├── UnsupportedQuery   valid, but not answered by the embedded store 400
    │   └── QueryLimit         too large to answer                          422
    ├── InvalidInput           a request that names a wrong field           422, exit 2
    ├── MalformedPayload       bytes that cannot be decoded                 400
    ├── Unauthorized 401   Forbidden 403   NotFound 404   Conflict 409   Expired 410   TooLarge 413
    │   └── LeaseLost          another service carries the incident on      409
    └── Unavailable            a backend that does not answer (retryable)   503, exit 7
        ├── StateUnavailable   the state database does not answer           503, exit 7
        ├── QueryTimeout       a query that took too long                   504
        ├── QueryCancelled     a query that its client gave up              499
        └── Overloaded         refused to protect itself (retryable)        429

`reason` is a closed set and may be used as a metric label; `hint` says what to do next.
"""

from __future__ import annotations


class AwfError(Exception):
    """Base of the tree: a message with the value, a reason, a hint and context for the log."""

    reason = "internal"
    retryable = False
    http_status = 500
    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", **context: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.context = context

    def problem(self) -> dict[str, object]:
        """Return the error as problem details (RFC 9457)."""
        return {
            "type": f"urn:awf:error:{self.reason}",
            "title": self.reason.replace("_", " ").capitalize(),
            "status": self.http_status,
            "detail": self.message,
            "reason": self.reason,
            "hint": self.hint,
        }


class ConfigError(AwfError):
    reason = "config"
    exit_code = 2


class PortInUse(ConfigError):
    reason = "port_in_use"
    exit_code = 3


class MissingDependency(ConfigError):
    reason = "missing_dependency"
    exit_code = 4


class DataDirError(ConfigError):
    reason = "data_dir"
    exit_code = 5


class WorkflowError(AwfError):
    reason = "invalid_workflow"
    http_status = 422
    exit_code = 6


class QueryError(AwfError):
    reason = "bad_query"
    http_status = 400


class UnsupportedQuery(QueryError):
    reason = "unsupported_query"


class QueryLimit(QueryError):
    reason = "query_limit"
    http_status = 422


class InvalidInput(AwfError):
    reason = "invalid_input"
    http_status = 422
    exit_code = 2


class MalformedPayload(AwfError):
    reason = "malformed_payload"
    http_status = 400


class Unauthorized(AwfError):
    reason = "unauthorized"
    http_status = 401


class Forbidden(AwfError):
    reason = "forbidden"
    http_status = 403


class NotFound(AwfError):
    reason = "not_found"
    http_status = 404


class Conflict(AwfError):
    reason = "conflict"
    http_status = 409


class LeaseLost(Conflict):
    """Whoever meets it stops: another service has taken the incident over, and goes on from what was stored."""

    reason = "lease_lost"


class Expired(AwfError):
    reason = "expired"
    http_status = 410


class TooLarge(AwfError):
    reason = "too_large"
    http_status = 413


class Unavailable(AwfError):
    reason = "unavailable"
    retryable = True
    http_status = 503
    exit_code = 7


class StateUnavailable(Unavailable):
    """Whoever meets it in the middle of something durable stops there, as after a crash, and goes on later."""

    reason = "state_unavailable"


class QueryTimeout(Unavailable):
    reason = "query_timeout"
    http_status = 504


class QueryCancelled(Unavailable):
    reason = "query_cancelled"
    http_status = 499


class Overloaded(Unavailable):
    reason = "overloaded"
    http_status = 429
