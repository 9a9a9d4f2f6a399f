"""Workflow events on their way to a collector: record, signals, wire format, delivery."""
