"""The watcher: from an alert to a verified outcome."""
