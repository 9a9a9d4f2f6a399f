"""What Grafana's HTTP API documents about service accounts, over a dictionary. It is no Grafana: a real one could
not be had where this was written."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

PASSWORD = "the first password"


@dataclass
class FakeGrafana:
    """Its state, the calls it got, and for how many health checks it is still starting."""

    password: str = PASSWORD
    starting: int = 0
    accounts: dict[int, dict[str, Any]] = field(default_factory=dict)
    tokens: dict[int, dict[int, dict[str, str]]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def add_account(self, name: str, role: str) -> dict[str, Any]:
        number = len(self.accounts) + 1
        self.accounts[number] = {"id": number, "name": name, "role": role, "isDisabled": False, "tokens": 0}
        self.tokens[number] = {}
        return self.accounts[number]

    def add_token(self, account: int, name: str) -> dict[str, Any]:
        number = sum(len(each) for each in self.tokens.values()) + 1 + 100 * len(self.calls)
        key = f"glsa_{secrets.token_hex(8)}"
        self.tokens[account][number] = {"name": name, "key": key}
        return {"id": number, "name": name, "key": key}

    def live_keys(self) -> set[str]:
        return {token["key"] for each in self.tokens.values() for token in each.values()}

    def refuses(self, request: Request) -> JSONResponse | None:
        self.calls.append(f"{request.method} {request.url.path}")
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        expected = base64.b64encode(f"admin:{self.password}".encode()).decode()
        if (scheme == "Basic" and value == expected) or (scheme == "Bearer" and value in self.live_keys()):
            return None
        return JSONResponse({"message": "Invalid username or password"}, 401)


def app_of(grafana: FakeGrafana) -> FastAPI:
    app = FastAPI()

    @app.get("/api/health")
    async def health() -> JSONResponse:
        grafana.starting -= 1
        return JSONResponse({"database": "ok", "version": "13.2.3"}, 200 if grafana.starting < 0 else 503)

    @app.get("/api/search")
    async def search(request: Request) -> Any:
        return grafana.refuses(request) or []

    @app.get("/api/serviceaccounts/search")
    async def find(request: Request, query: str, perpage: int) -> Any:
        found = [each for each in grafana.accounts.values() if query in each["name"]][:perpage]
        return grafana.refuses(request) or {"totalCount": len(found), "serviceAccounts": found}

    @app.post("/api/serviceaccounts")
    async def create(request: Request) -> Any:
        if refusal := grafana.refuses(request):
            return refusal
        body = await request.json()
        if any(each["name"] == body["name"] for each in grafana.accounts.values()):
            return JSONResponse({"message": "service account already exists"}, 400)
        return JSONResponse(grafana.add_account(body["name"], body["role"]), 201)

    @app.patch("/api/serviceaccounts/{number}")
    async def change(request: Request, number: int) -> Any:
        if refusal := grafana.refuses(request):
            return refusal
        grafana.accounts[number] |= await request.json()
        return {"id": number, "message": "Service account updated"}

    _add_tokens(app, grafana)
    return app


def _add_tokens(app: FastAPI, grafana: FakeGrafana) -> None:
    @app.get("/api/serviceaccounts/{number}/tokens")
    async def tokens(request: Request, number: int) -> Any:
        listed = [{"id": key, "name": each["name"]} for key, each in grafana.tokens[number].items()]
        return grafana.refuses(request) or listed

    @app.post("/api/serviceaccounts/{number}/tokens")
    async def add(request: Request, number: int) -> Any:
        if refusal := grafana.refuses(request):
            return refusal
        body = await request.json()
        if any(each["name"] == body["name"] for each in grafana.tokens[number].values()):
            return JSONResponse({"message": "service account token already exists"}, 400)
        return grafana.add_token(number, body["name"])

    @app.delete("/api/serviceaccounts/{number}/tokens/{token}")
    async def remove(request: Request, number: int, token: int) -> Any:
        refusal = grafana.refuses(request)
        if not refusal:
            del grafana.tokens[number][token]
        return refusal or {"message": "Service account token deleted"}
