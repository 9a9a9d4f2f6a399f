"""Kinds of trouble, one a file: each module's SPEC is a `Kind`."""
