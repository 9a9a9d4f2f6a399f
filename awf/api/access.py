"""Who may do what: the one role table, and the dependency that reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.params import Depends as DependsMarker

from awf.core.ports import Principal, Session
from awf.errors import Forbidden, Unauthorized

PERMISSIONS: Final[Mapping[str, frozenset[str]]] = {
    "read": frozenset({"viewer", "operator", "approver", "admin"}),
    "operate": frozenset({"operator", "admin"}),  # start and cancel executions, pause the watcher
    "decide": frozenset({"approver", "admin"}),  # approvals: not the operator, who may have asked
    "engine": frozenset({"worker", "admin"}),
    "administer": frozenset({"admin"}),
}

COOKIE: Final = "awf_session"


def current_principal(request: Request) -> Principal:
    """Return who the gate let in. Raises Unauthorized on a path that needs nobody."""
    principal: Principal | None = request.scope.get("awf.principal")
    if principal is None:
        raise Unauthorized("this needs a token", hint="Send Authorization: Bearer <token>.")
    return principal


def current_session(request: Request) -> Session | None:
    """Return the browser session, None for a bearer token."""
    session: Session | None = request.scope.get("awf.session")
    return session


Asker = Annotated[Principal, Depends(current_principal)]


def may(principal: Principal, permission: str) -> bool:
    return principal.role in PERMISSIONS[permission]


def require(principal: Principal, permission: str) -> None:
    """Raises Forbidden naming the roles that may."""
    if not may(principal, permission):
        roles = " or ".join(sorted(PERMISSIONS[permission]))
        raise Forbidden(
            f"{principal.name} has the role {principal.role}; this needs {roles}",
            hint="Ask an admin for a token with that role.",
        )


def allow(permission: str) -> DependsMarker:
    """Return the route dependency that lets a permission's roles through."""

    def check(principal: Asker) -> None:
        require(principal, permission)

    marker: DependsMarker = Depends(check)
    return marker
