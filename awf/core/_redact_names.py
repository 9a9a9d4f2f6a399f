"""Which names announce a secret: `db_password`, `X-Api-Key`, `accessToken`; not `input_tokens` or `token_type`.

Names only. What a secret looks like by itself is in `_redact_shapes`.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

PASSWORD: Final = "password"  # noqa: S105  a kind, no password
BEARER: Final = "bearer"
SECRET: Final = "secret"  # noqa: S105


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_LONGEST_NAME = 128

# A last word that makes the name one of a fact about a secret: when it expires, how long it is, where it is.
_FACTS = _set(
    "age alg algorithm arn at attempts audience budget bytes changed consent cost count counts created dir domain "
    "duration enabled endpoint endpoints error errors exists expiration expired expires expiry failure failures "
    "field fields file format host id ids in index issuer kind latency len length lifetime limit limits location "
    "manager max method min minutes missing mode ms name names ns path per policy port prefix present price "
    "provider rate ratio ref refs region required reset retries rotation s scheme scope scopes seconds server service size source "
    "state status store strategy time timestamp total ttl type types updated uri url us usage used valid version "
    "window"
)
_PASSWORDS = ("password", "passwords", "passwd", "passphrase", "passcode", "pwd")
_SECRETS = _set(
    "cookie cookies credential credentials cred creds csrf cvc cvv jwt otp secret secrets ssn xsrf "
    "jsessionid phpsessid sessid sessionid"
)
_NO_PASSES = _set("bypass compass encompass overpass surpass trespass underpass")
# Last words only: `auth_type` and `session_started` say nothing secret.
_LAST = frozenset(("auth", "session", "sig"))
_EXACTLY = frozenset(("sid", "connectsid"))  # cookies; an `account_sid` is an id
# Endings of names that are written as one word: `clientsecret`.
_ENDINGS = ("secret", "apikey", "apikeys", "secretkey", "accesskey", "privatekey", "sessionid", "credentials")
# Beside these a token is a piece of text that a model reads or writes, or a place in a list.
_COUNTED = _set(
    "avg bos budget cached completion continuation context cost cursor eos first generated inference input last "
    "max mean min model new next num number output pad page per prompt reasoning remaining special stop time total "
    "unk"
)
_TOKEN_OWNERS = _set("access api auth bearer bot id oauth personal refresh secret service session")
_KEY_OWNERS = _set(
    "access account admin anthropic api app application auth aws azure client cohere datadog deploy encryption "
    "fernet functions gcp gemini github google grafana groq hmac huggingface jwt license master mistral newrelic "
    "openai pinecone private secret sendgrid service session shared signing ssh stripe subscription twilio "
    "webhook"
)
_SIGNED_BY = frozenset(("amz", "goog"))  # presigned addresses: X-Amz-Signature

STEMS = (
    "pass", "pwd", "secret", "token", "cred", "key", "auth", "cookie", "sess", "sid", "jwt", "srf", "cvv", "cvc",
    "ssn", "otp", "sig",
)  # fmt: skip
"""Of these one is in every name for which `secret_kind` answers, in lower case."""


def words_of(name: str) -> list[str]:
    """Return the words of a name in lower case: `X-Api-Key`, `x_api_key` and `xApiKey` are the same."""
    return [word.lower() for word in _WORD.findall(name[-_LONGEST_NAME:])]


def secret_kind(name: str) -> str | None:
    """Return the kind of secret that a name announces (PASSWORD, BEARER or SECRET), None for a harmless name."""
    words = words_of(name)
    if not words or words[-1] in _FACTS:
        return None
    whole = "".join(words)  # `passWord`, `APIkey`
    if _is_password(words, whole):
        return PASSWORD
    if "authorization" in words:
        return BEARER
    if words[-1] in _LAST or any(word in _SECRETS or word.endswith(_ENDINGS) for word in (*words, whole)):
        return SECRET
    return SECRET if _is_token(words) or _is_key(words) or _is_signature(words) or whole in _EXACTLY else None


def _is_password(words: list[str], whole: str) -> bool:
    if words[-1].endswith("pass"):
        return words[-1] not in _NO_PASSES
    return "passw" in whole or any(word.endswith(_PASSWORDS) for word in words)


def _is_token(words: list[str]) -> bool:
    if any(word.endswith("token") for word in words):
        return _COUNTED.isdisjoint(words)
    return "tokens" in words and not _TOKEN_OWNERS.isdisjoint(words) and _COUNTED.isdisjoint(words)


def _is_key(words: list[str]) -> bool:
    return any(word in {"key", "keys"} and owner in _KEY_OWNERS for owner, word in pairwise(words))


def _is_signature(words: list[str]) -> bool:
    return words[-1] == "signature" and not _SIGNED_BY.isdisjoint(words)
