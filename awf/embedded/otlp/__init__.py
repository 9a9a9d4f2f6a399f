"""OTLP in: requests over gRPC and HTTP become rows of the store, durable before the answer."""

from awf.embedded.otlp.grpc_receiver import GrpcServer
from awf.embedded.otlp.http_receiver import create_app
from awf.embedded.otlp.receiver import Receiver

__all__ = ["GrpcServer", "Receiver", "create_app"]
