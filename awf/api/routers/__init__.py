"""One file per part of the API; each exposes `router`."""
