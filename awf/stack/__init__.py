"""The stack of `compose.yaml`: its secrets, Grafana's service accounts, and which versions run."""
