"""Prometheus' remote write 1.0 in: snappy and protobuf become samples, durable before the answer."""

from awf.embedded.remote_write.endpoint import create_routes

__all__ = ["create_routes"]
