"""A store that takes OTLP, as a process to kill: it folds and drops days all the time. Prints its two ports as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from awf.embedded import otlp
from awf.embedded.inlet import Inlet
from awf.embedded.ports import reserve
from awf.embedded.store import DuckStore
from awf.embedded.store.layout import MS_PER_DAY
from awf.embedded.store.limits import Limits
from awf.embedded.store.schema import connect
from awf.embedded.web import WebServers

KEPT_MS = 3 * MS_PER_DAY


async def serve(path: Path) -> None:
    store = DuckStore(connect(path, 128), path, limits=Limits(fold_weight=None, seal_samples=64))
    receiver = otlp.Receiver(Inlet(store))
    http, grpc = reserve("127.0.0.1", {"http": 0, "grpc": 0})
    ports = [http.getsockname()[1], grpc.getsockname()[1]]
    web, grpc_server = WebServers(), otlp.GrpcServer(receiver)
    await web.start(otlp.create_app(receiver), http)
    grpc.close()
    await grpc_server.start("127.0.0.1", ports[1])
    print(json.dumps(ports), flush=True)
    while True:
        await asyncio.to_thread(store.fold)
        await store.sweep(older_than_ms=int(time.time() * 1000) - KEPT_MS)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
