"""The remediations, one a file: each module's SPEC is an `ActionSpec`."""
