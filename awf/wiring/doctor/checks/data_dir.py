"""The data directory can be used, and the secrets in it can be read."""

from __future__ import annotations

import os

from awf.errors import DataDirError
from awf.wiring.doctor.case import Case
from awf.wiring.doctor.findings import Check, Finding, ok

WHAT = "data directory"


async def _run(case: Case) -> list[Finding]:
    path = case.settings.data_dir
    if path.exists() and not (path.is_dir() and os.access(path, os.R_OK | os.W_OK | os.X_OK)):
        raise DataDirError(f"{path} is not a writable directory", hint="Fix its rights, or set AWF_DATA_DIR.")
    return [ok(WHAT, f"{path} ({'there' if path.exists() else 'made at the first start'})")]


SPEC = Check("data_dir", "settings", WHAT, _run)
