"""An OTLP collector in a process of its own that counts what it gets: python _sink.py; prints its port, then
a line of JSON with its counts whenever it reads a line."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces

SERVICE = "opentelemetry.proto.collector"
KINDS = {
    f"/{SERVICE}.trace.v1.TraceService/Export": ("spans", traces.ExportTraceServiceRequest),
    f"/{SERVICE}.logs.v1.LogsService/Export": ("logs", logs.ExportLogsServiceRequest),
    f"/{SERVICE}.metrics.v1.MetricsService/Export": ("metrics", metrics.ExportMetricsServiceRequest),
}


class Sink(grpc.GenericRpcHandler):
    def __init__(self) -> None:
        self.counts = {"spans": 0, "logs": 0, "metrics": 0, "requests": 0}

    def service(self, details: Any) -> Any:
        signal, kind = KINDS[details.method]

        def count(request: bytes, _: Any) -> bytes:
            message = kind.FromString(request)
            self.counts["requests"] += 1
            if signal == "spans":
                self.counts[signal] += sum(
                    len(s.spans) for r in message.resource_spans for s in r.scope_spans
                )
            elif signal == "logs":
                self.counts[signal] += sum(
                    len(s.log_records) for r in message.resource_logs for s in r.scope_logs
                )
            else:
                self.counts[signal] += 1
            return b""

        return grpc.unary_unary_rpc_method_handler(count)


def main() -> None:
    sink = Sink()
    server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.max_receive_message_length", 64 << 20)])
    server.add_generic_rpc_handlers([sink])
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    for _ in sys.stdin:
        print(json.dumps(sink.counts), flush=True)
    server.stop(0)


if __name__ == "__main__":
    main()
