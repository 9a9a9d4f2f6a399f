"""Dashboards, rules and alerting, generated from Python."""
