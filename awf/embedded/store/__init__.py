"""The embedded store: samples, logs and spans in one DuckDB file, written by one thread, read by many."""

from awf.embedded.store.duck import DuckStore, MemoryStore, StoreStats

__all__ = ["DuckStore", "MemoryStore", "StoreStats"]
