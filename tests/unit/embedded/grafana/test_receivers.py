"""The contact point in Grafana's resource API, and its test notification on a real socket."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from awf.core.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign

RECEIVERS = "/apis/notifications.alerting.grafana.app/v1beta1/namespaces/default/receivers"
LABELS = {"alertname": "AWFDoctor"}


class _Watcher:
    """Answers every delivery with `status` and keeps it."""

    def __init__(self, port: int = 0) -> None:
        self.status = 202
        self.deliveries: list[tuple[dict[str, str], bytes]] = []
        watcher = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                watcher.deliveries.append((dict(self.headers.items()), body))
                self.send_response(watcher.status)
                self.end_headers()
                self.wfile.write(b"as told")

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def watcher(embedded: Any) -> Iterator[_Watcher]:
    watcher = _Watcher()
    port = watcher.server.server_address[1]
    webhook = embedded.ruler._webhook
    webhook._url = webhook._url.copy_with(host="127.0.0.1", port=port, username=None, password=None)
    yield watcher
    watcher.server.shutdown()
    watcher.server.server_close()


async def _receiver(embedded: Any) -> dict[str, Any]:
    (item,) = (await embedded.get(RECEIVERS))["items"]
    return dict(item)


async def _test(embedded: Any, integration: Any, alert: Any = None, **kwargs: Any) -> Any:
    name = (await _receiver(embedded))["metadata"]["name"]
    body = {"integration": integration} | ({"alert": alert} if alert is not None else {})
    return await embedded.client.post(f"{RECEIVERS}/{name}/test", json=body, headers=embedded.auth, **kwargs)


async def test_the_contact_point_is_listed_without_its_secrets(embedded: Any) -> None:
    receiver = await _receiver(embedded)
    assert receiver["spec"]["title"] == "awf-watcher"
    (integration,) = receiver["spec"]["integrations"]
    assert integration["settings"]["url"] == "http://127.0.0.1:1/webhooks/grafana-alerts"
    assert integration["secureFields"] == {"hmacConfig.secret": True}
    assert await embedded.get(f"{RECEIVERS}/{receiver['metadata']['name']}") == receiver
    assert (await embedded.client.get(f"{RECEIVERS}/other")).status_code == 404


async def test_a_test_is_delivered_as_grafana_sends_it_and_signed(embedded: Any, watcher: _Watcher) -> None:
    integration = (await _receiver(embedded))["spec"]["integrations"][0]
    answer = await _test(embedded, integration, {"labels": LABELS})
    assert (answer.status_code, answer.json()["status"]) == (200, "success")
    ((headers, body),) = watcher.deliveries
    assert headers[SIGNATURE_HEADER] == sign("s", body, int(headers[TIMESTAMP_HEADER]))
    delivery = json.loads(body)
    assert (delivery["receiver"], delivery["status"], len(delivery["alerts"])) == ("awf-watcher", "firing", 1)
    assert delivery["alerts"][0]["labels"] == {
        "alertname": "AWFDoctor",
        "grafana_folder": "AWF",
        "instance": "Grafana",
    }
    assert delivery["alerts"][0]["annotations"] == {"summary": "Notification test"}
    assert delivery["alerts"][0]["fingerprint"]


async def test_a_receiver_that_refuses_or_is_away_is_told(embedded: Any, watcher: _Watcher) -> None:
    integration = (await _receiver(embedded))["spec"]["integrations"][0]
    watcher.status = 401
    answer = (await _test(embedded, integration)).json()
    assert (answer["status"], answer["error"]) == ("failure", "401 as told")
    embedded.ruler._webhook._url = embedded.ruler._webhook._url.copy_with(port=1)
    answer = (await _test(embedded, integration)).json()
    assert answer["status"] == "failure"
    assert "Connect" in answer["error"]


@pytest.mark.parametrize(
    ("integration", "alert"),
    [
        ({"type": "webhook", "settings": {"url": "http://127.0.0.1:9/"}}, None),
        ("text", None),
        ({"uid": "awf-watcher"}, {"labels": {"a": 1}}),
        ({"uid": "awf-watcher"}, ["labels"]),
        ({"uid": "awf-watcher"}, {"annotations": {str(n): "" for n in range(65)}}),
    ],
    ids=["another address", "no object", "no texts", "no alert", "too many"],
)
async def test_only_the_stored_contact_point_is_tested(
    integration: Any, alert: Any, embedded: Any, watcher: _Watcher
) -> None:
    assert (await _test(embedded, integration, alert)).status_code == 400
    assert watcher.deliveries == []


async def test_a_test_needs_the_token(embedded: Any, watcher: _Watcher) -> None:
    name = (await _receiver(embedded))["metadata"]["name"]
    answer = await embedded.client.post(
        f"{RECEIVERS}/{name}/test", json={"integration": {"uid": "awf-watcher"}}
    )
    assert (answer.status_code, watcher.deliveries) == (401, [])
