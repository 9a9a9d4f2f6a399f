"""Regular expressions of lines: as RE2 reads them, with `.` not matching a newline."""

from __future__ import annotations

import re
from functools import lru_cache

from awf.embedded.regex import compile_re2

MAX_PATTERN_CHARS = 2_000


@lru_cache(maxsize=256)
def line_pattern(pattern: str) -> re.Pattern[str]:
    """Compile for `search`. Raises QueryError or UnsupportedQuery."""
    compile_re2(pattern)  # by itself first, so that a stray `)` cannot close the group around it
    return compile_re2(f"(?-s:{pattern})")
