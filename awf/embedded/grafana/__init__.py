"""The part of Grafana's HTTP API that `mcp-grafana` uses, over the embedded stores."""

from awf.embedded.grafana.annotation_store import AnnotationStore
from awf.embedded.grafana.app import create_app

__all__ = ["AnnotationStore", "create_app"]
