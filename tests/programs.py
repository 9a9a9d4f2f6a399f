"""Programs from Debian that some tests need: a skip at a desk, a failure in CI."""

from __future__ import annotations

import os
import shutil

import pytest


def require_program(name: str, package: str) -> str:
    """Return the program's path; skip (fail with CI set) and print the apt line when it is missing."""
    path = shutil.which(name)
    if path:
        return path
    message = f"{name} is not installed: apt-get install --no-install-recommends {package}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
