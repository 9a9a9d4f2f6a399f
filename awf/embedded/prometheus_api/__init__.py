"""Prometheus' HTTP query API over the embedded engine."""

from awf.embedded.prometheus_api.app import create_app

__all__ = ["create_app"]
