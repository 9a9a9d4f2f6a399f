"""How long the product's story takes: start, first data, alert, cause, action, proof; and its memory."""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.e2e.product import Product

FAULT_S = 30


def _first_data(product: Product, began: float) -> dict[str, float]:
    now = int(time.time())
    queries: dict[str, tuple[str, str, dict[str, Any], str]] = {
        "metrics": ("MIMIR", "/prometheus/api/v1/query", {"query": "awf_workflow_total > 0"}, "result"),
        "logs": ("LOKI", "/loki/api/v1/query_range", {"query": '{service_name="awf-demo"}'}, "result"),
        "traces": ("TEMPO", "/api/search", {"q": "{}", "start": now - 60, "end": now + 60}, "traces"),
    }
    found = {}
    for name, (face, path, parameters, key) in queries.items():

        def look(face: str = face, path: str = path, parameters: Any = parameters, key: str = key) -> Any:
            answer = product.query(face, path, parameters)
            return answer.get("data", answer).get(key)

        product.wait_for(name, look, 60)
        found[name] = time.monotonic() - began
    return found


def _resolved(product: Product) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        return next((each for each in product.items("/incidents") if each["status"] == "resolved"), None)

    return product.wait_for("resolved incident", look, 240)


def _memory_mb(product: Product) -> dict[str, float]:
    """Return the resident memory of every process with the product's data directory in its environment."""
    found: dict[str, float] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if str(product.data_dir).encode() not in (folder / "environ").read_bytes():
                continue
            words = (folder / "cmdline").read_bytes().decode().split("\0")
            pages = int((folder / "statm").read_text().split()[1])
        except (OSError, ValueError):
            continue
        name = next(
            (word for word in words if word in {"up", "embedded", "serve", "demo"}), Path(words[0]).name
        )
        found[name] = found.get(name, 0.0) + pages * 4096 / 2**20
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        product = Product(Path(folder) / "data", AWF_DEMO_FAULTS=f"agent_errors:{FAULT_S}")
        began = time.monotonic()
        wall = datetime.now(UTC)
        product.start()
        try:
            product.wait_for("ready API", product.is_ready, 60)
            rows = {"ready": time.monotonic() - began}
            rows |= {f"first {name}": at for name, at in _first_data(product, began).items()}
            incident = _resolved(product)
            memory = _memory_mb(product)
        finally:
            stop_s = product.stop()
        moments = {e["kind"]: datetime.fromisoformat(e["at"]) for e in reversed(incident["timeline"])}
        alert = moments["alert"]
        print(f"{'from the start':<34} seconds")
        for name, seconds in (rows | {"alert received": (alert - wall).total_seconds()}).items():
            print(f"  {name:<32} {seconds:6.1f}")
        print(f"  (the fault starts about {FAULT_S} s after the demo)\nfrom the alert")
        for kind in ("investigation", "action", "verification"):
            print(f"  {kind:<32} {(moments[kind] - alert).total_seconds():6.1f}")
        resolved = datetime.fromisoformat(incident["resolved_at"])
        print(f"  {'resolved':<32} {(resolved - alert).total_seconds():6.1f}")
        print(f"{'stop after Ctrl-C':<34} {stop_s:6.1f}\nresident memory                      MB")
        for name, size in sorted(memory.items()):
            print(f"  {name:<32} {size:6.0f}")
        print(f"  {'all':<32} {sum(memory.values()):6.0f}")


if __name__ == "__main__":
    main()
