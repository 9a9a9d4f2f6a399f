"""The lines that the conformance queries are about: half an hour of six programs, the same every time."""

from __future__ import annotations

import json
import random
from typing import Any, Final

SECOND: Final = 1_000_000_000
SPAN_S: Final = 1_800

_USERS: Final = ("ann", "bob", "käthe", "o'neil")
_MESSAGES: Final = ("job done", "job failed: no such file", 'say \\"hi\\"', "tab\\there")
_PATHS: Final = ("/api/v1/items", "/api/v1/users/7", "/health", "/static/app.js?v=1&x=é")


def push_body(base_ns: int) -> dict[str, Any]:
    """Return a body of the push API with entries in the half hour from `base_ns`."""
    chance = random.Random(11)
    streams: dict[tuple[tuple[str, str], ...], list[list[Any]]] = {}
    for index in range(420):
        at = base_ns + int((index + chance.random() * 0.9) * SPAN_S / 420 * SECOND)
        labels, line, metadata = _entry(chance, index)
        streams.setdefault(tuple(sorted(labels.items())), []).append([str(at), line, metadata])
    return {"streams": [{"stream": dict(labels), "values": values} for labels, values in streams.items()]}


def _entry(chance: random.Random, index: int) -> tuple[dict[str, str], str, dict[str, str]]:
    make = (_api, _api, _worker, _worker, _nginx, _plain, _counter, _packed)[index % 8]
    labels, line = make(chance, index)
    labels["service_name"] = labels["app"]  # Loki adds it where it is missing
    metadata = {"agent": f"agent-{chance.randrange(4)}"}
    if chance.random() < 0.6:
        metadata["trace_id"] = f"{chance.randrange(40):032x}"
    if chance.random() < 0.2:
        metadata["level"] = chance.choice(["warn", "error"])
    if chance.random() < 0.1:
        metadata["env"] = "of-the-entry"
    return labels, line, metadata


def _api(chance: random.Random, index: int) -> tuple[dict[str, str], str]:
    document: dict[str, Any] = {
        "level": chance.choice(["info", "info", "warn", "error"]),
        "msg": chance.choice(["request done", "request failed: timeout", "slow query"]),
        "status": chance.choice([200, 200, 201, 404, 500, 503]),
        "duration": chance.choice(["153ms", "1.5s", "2m3s", "900us", "0s", "soon"]),
        "size": chance.choice(["1.2KB", "3MiB", "512", "7 kB", "big"]),
        "took": round(chance.random() * 3, 3),
        "user": {"id": chance.randrange(20), "name": chance.choice(_USERS)},
        "path": chance.choice(_PATHS),
        "ip": f"10.{chance.randrange(2)}.{chance.randrange(4)}.{chance.randrange(250)}",
        "tags": ["a", {"b": 1.5}],
        "ok": chance.random() < 0.5,
        "nothing": None,
        "agent": "in-the-line",
        "odd key-1": "x y",
    }
    for name in chance.sample(sorted(document), chance.randrange(5)):
        del document[name]
    line = json.dumps(document, ensure_ascii=chance.random() < 0.3)
    if chance.random() < 0.08:
        line = line[: -chance.randrange(2, 30)]
    return {"app": "api", "env": chance.choice(["prod", "dev"])}, line


def _worker(chance: random.Random, index: int) -> tuple[dict[str, str], str]:
    parts = [
        f"level={chance.choice(['info', 'warn', 'error'])}",
        f'msg="{chance.choice(_MESSAGES)}"',
        f"took={chance.choice(['1.5s', '20ms', '3m', '1h', 'long', '7'])}",
        f"bytes={chance.choice(['2KiB', '1MB', '17', '-1', '3.5kB'])}",
        f"n={chance.randrange(-5, 100)}",
        f"ok={chance.choice(['true', 'false'])}",
        "empty=",
        "flag",
        f"user.name={chance.choice(_USERS)}",
        "env=of-the-line",
        f"addr=192.168.{chance.randrange(3)}.{chance.randrange(9)}:8080",
    ]
    chance.shuffle(parts)
    line = " ".join(parts[: chance.randrange(4, len(parts))])
    if chance.random() < 0.1:
        line += chance.choice([' broken="open', " a=b=c", ' "quoted"', " =x", ' x="a"b'])
    return {"app": "worker", "env": chance.choice(["prod", "dev"])}, line


def _nginx(chance: random.Random, index: int) -> tuple[dict[str, str], str]:
    address = chance.choice(["10.0.0.7", "10.0.1.99", "192.168.4.5", "2001:db8::1f", "::1"])
    request = f"{chance.choice(['GET', 'POST'])} {chance.choice(_PATHS)} HTTP/1.1"
    status, size = chance.choice([200, 301, 404, 502]), chance.randrange(10, 9000)
    return {"app": "nginx"}, f'{address} - - [10/Oct/2026:13:55:36 +0000] "{request}" {status} {size}'


def _plain(chance: random.Random, index: int) -> tuple[dict[str, str], str]:
    line = chance.choice(
        [
            "\x1b[31mred\x1b[0m alert \x1b[1;4mbold\x1b[m done",
            f"connection from 10.0.0.{chance.randrange(12)}:5123 refused",
            f"user {chance.choice(_USERS)} logged in after {chance.randrange(9)} tries",
            "Ünïcode: 日本語 🙂 end",
            "   leading and trailing   ",
            "multi\nline\ttext",
            f"2026-10-10T13:55:{chance.randrange(10, 60)}Z took {chance.randrange(500)} ms",
            '"a string"',
            "[1, 2, 3]",
            "42",
        ]
    )
    return {"app": "plain", "level": chance.choice(["info", "error"])}, line


def _counter(chance: random.Random, index: int) -> tuple[dict[str, str], str]:
    return {
        "app": "counter"
    }, f"total={(index * 7) % 900} gauge={chance.randrange(-50, 50) / 4} big=1e{index % 30}"


def _packed(chance: random.Random, index: int) -> tuple[dict[str, str], str]:
    packed = {
        "pod": f"pod-{chance.randrange(3)}",
        "number": 5,
        "_entry": f"inner message {chance.randrange(30)}",
    }
    if chance.random() < 0.2:
        del packed["_entry"]
    return {"app": "packed"}, json.dumps(packed)
