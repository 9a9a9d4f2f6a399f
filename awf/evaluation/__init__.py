"""Is the watcher right? Scenarios with a known truth, run against the whole product, and scored."""
