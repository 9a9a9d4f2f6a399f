"""Dashboards, one file each: a module here with a `SPEC` of type DashboardSpec becomes a JSON file."""
