"""What a database URL may be, and that no part of a password is in what is said about a wrong one."""

from __future__ import annotations

import pytest

from awf.errors import DataDirError
from awf.state.connecting import parse, shown


@pytest.mark.parametrize(
    "url",
    [
        "mysql://awf:pa55word@127.0.0.1/awf",
        "awf:pa55word@127.0.0.1",
        "postgresql://awf:pa55word@127.0.0.1:port/awf",
        "postgresql://awf:pa55word@127.0.0.1:99999/awf",
        "postgresql://awf:x@pa55word@127.0.0.1/awf",
        "postgresql://awf:x@pa55word@127.0.0.1:port/awf",
        "postgresql://awf:x y/pa55word@127.0.0.1:port/awf",
        "postgresql://awf:x@y@pa55word@127.0.0.1:99999/awf",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(DataDirError) as caught:
        parse(url)
    assert "127.0.0.1" in caught.value.message
    for said in (caught.value.message, caught.value.hint, shown(url)):
        assert "pa55word" not in said


def test_an_at_sign_in_a_password_is_told_how_it_is_written() -> None:
    with pytest.raises(DataDirError, match="has an @ in it") as caught:
        parse("postgresql://awf:x@y@db.example.com/awf")
    assert "%40" in caught.value.hint
    assert parse("postgresql://awf:x%40y@db.example.com/awf").password == "x@y"
