"""Regular expressions of lines: as RE2 reads them, with `.` not matching a newline; and `$1` in a replacement."""

from __future__ import annotations

import re
from functools import lru_cache

from awf.embedded.regex import compile_re2

MAX_PATTERN_CHARS = 2_000
_REFERENCE = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})")


@lru_cache(maxsize=256)
def line_pattern(pattern: str) -> re.Pattern[str]:
    """Compile for `search`. Raises QueryError or UnsupportedQuery."""
    compile_re2(pattern)  # by itself first, so that a stray `)` cannot close the group around it
    return compile_re2(f"(?-s:{pattern})")


def expand(template: str, found: re.Match[str]) -> str:
    """Expand `$1`, `${name}` and `$$` as Go does; a group that is not there is empty."""

    def text(reference: re.Match[str]) -> str:
        name = reference[1] or reference[2]
        if name is None:
            return "$"
        if name.isdigit():
            return (found[int(name)] or "") if int(name) <= (found.re.groups or 0) else ""
        return found.groupdict("").get(name, "")

    return _REFERENCE.sub(text, template)
