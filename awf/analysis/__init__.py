"""Pure analysis: data in, findings out; no I/O."""
