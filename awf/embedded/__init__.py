"""The embedded telemetry backend: OTLP in; the Prometheus, Loki, Tempo and Grafana HTTP APIs out."""
