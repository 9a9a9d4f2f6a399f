"""Workflows, the engine that runs them, its events and its switches; no third-party package."""
