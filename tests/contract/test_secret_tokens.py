"""What every `SecretTokens` promises; run over the twin in memory and the one in a file."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from awf.core.redact import Redactor
from awf.errors import NotFound
from awf.orchestration.secret_tokens import SecretTokenStore
from awf.testing import FakeSecretTokens

Tokens = FakeSecretTokens | SecretTokenStore


@pytest.fixture(params=["memory", "file"])
def tokens(request: pytest.FixtureRequest, tmp_path: Path) -> Tokens:
    return (
        FakeSecretTokens() if request.param == "memory" else SecretTokenStore(tmp_path / "kept" / "secrets")
    )


def test_a_token_fits_into_a_mask(tokens: Tokens) -> None:
    assert re.fullmatch("[0-9a-f]{8,32}", tokens.token("email", "bob@example.com"))


def test_one_secret_has_one_token_whatever_it_was_taken_for(tokens: Tokens) -> None:
    assert tokens.token("email", "bob@example.com") == tokens.token("password", "bob@example.com")
    assert tokens.token("email", "bob@example.com") != tokens.token("email", "ann@example.com")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # one store for all secrets is meant
@given(secret=st.text(st.characters(), max_size=40))
def test_a_secret_is_revealed_as_it_was(tokens: Tokens, secret: str) -> None:
    assert tokens.reveal(tokens.token("secret", secret)) == secret


@pytest.mark.parametrize("token", ["", "0f1e2d3c4b5a", "x", "../secrets", "[email]"])
def test_a_token_that_was_never_given_is_not_found(tokens: Tokens, token: str) -> None:
    tokens.token("email", "bob@example.com")
    with pytest.raises(NotFound, match=re.escape(repr(token))):
        tokens.reveal(token)


def test_threads_agree_on_tokens(tokens: Tokens) -> None:
    said: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: said.append([tokens.token("secret", f"s{n}") for n in range(200)]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(said) == 4
    assert said[0] == said[1] == said[2] == said[3]
    assert [tokens.reveal(token) for token in said[0][:20]] == [f"s{n}" for n in range(20)]


def test_a_redactor_with_it_makes_masks_that_stay_as_they_are(tokens: Tokens) -> None:
    redactor = Redactor(tokens=tokens)
    masked = redactor.text("password=hunter2 bob@example.com")
    assert re.fullmatch(r"password=\[password:[0-9a-f]+\] \[email:[0-9a-f]+\]", masked)
    assert redactor.text(masked) == masked
