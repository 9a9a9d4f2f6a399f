"""The demo's faults, one a file: each module's SPEC is a `Fault`."""
