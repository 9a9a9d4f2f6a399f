"""The part of Go's templates that is answered: text and `{{.label}}`, with `{{-` and `-}}` trimming."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from awf.errors import QueryError, UnsupportedQuery

_ACTION = re.compile(
    r"\{\{(?P<ltrim>-(?=\s))?(?P<body>(?:\"(?:\\.|[^\"\\])*\"|`[^`]*`|(?!\}\}).)*?)(?P<rtrim>(?<=\s)-)?\}\}",
    re.DOTALL,
)
_FIELD = re.compile(r"\.([A-Za-z_]\w*)")
_COMMENT = re.compile(r"/\*.*\*/", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Template:
    """Text and label names in turn: `texts` has one element more than `names`."""

    texts: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def parse(cls, source: str) -> Template:
        """Raises UnsupportedQuery for an action that is more than a label, QueryError for a broken one."""
        texts: list[str] = []
        names: list[str] = []
        position, text, trim = 0, "", False
        for found in _ACTION.finditer(source):
            piece = source[position : found.start()]
            piece = piece.lstrip() if trim else piece
            text += piece.rstrip() if found["ltrim"] else piece
            body = found["body"].strip()
            field = _FIELD.fullmatch(body)
            if field is not None:
                texts.append(text)
                names.append(field[1])
                text = ""
            elif not body:
                raise QueryError("invalid line template: missing value for command")
            elif _COMMENT.fullmatch(body) is None:
                raise UnsupportedQuery(
                    f"the template action {{{{{body}}}}}", hint="Only {{.label}} and plain text are answered."
                )
            position, trim = found.end(), bool(found["rtrim"])
        rest = source[position:]
        if "{{" in rest:
            raise QueryError("invalid line template: unclosed action")
        texts.append(text + (rest.lstrip() if trim else rest))
        return cls(tuple(texts), tuple(names))

    def render(self, labels: Mapping[str, str]) -> str:
        """Return the text; a label that is not there is empty, as with Go's `missingkey=zero`."""
        parts = [self.texts[0]]
        for name, text in zip(self.names, self.texts[1:], strict=True):
            parts += (labels.get(name, ""), text)
        return "".join(parts)
