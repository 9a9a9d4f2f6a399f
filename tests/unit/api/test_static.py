"""Vendored files: listed, unchanged, and the only foreign ones."""

from __future__ import annotations

import hashlib
import re

from awf.api.ui.render import HERE

STATIC = HERE / "static"
LISTED = dict(
    re.findall(
        r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", (STATIC / "VENDORED.md").read_text(), re.MULTILINE
    )
)


def test_every_vendored_file_is_listed_with_its_hash() -> None:
    assert {path.name for path in STATIC.glob("*.min.*")} == set(LISTED)
    for name, digest in LISTED.items():
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == digest, name


def test_scripts_of_ours_make_no_markup_and_no_code_out_of_text() -> None:
    for path in (STATIC / "dash").rglob("*.js"):
        text = path.read_text()
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text
        ), path
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), path
