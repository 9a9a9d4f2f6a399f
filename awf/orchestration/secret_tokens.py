"""Masked secrets that can be found again: tokens in the telemetry, the originals encrypted on this machine.

    redactor = Redactor(tokens=SecretTokenStore(path))   # 'mail [email:3fa9c1d20b7e]'
    SecretTokenStore(path).reveal("3fa9c1d20b7e")        # 'bob@example.com'

Whoever can read the file `PATH.key` can reveal everything; without it neither tokens nor file say anything.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import logging
import os
import re
import secrets
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from awf.core.counters import Counters
from awf.core.secret_file import make_once
from awf.core.semconv import SECRETS_LOST
from awf.errors import ConfigError, DataDirError, MissingDependency, NotFound

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

logger = logging.getLogger(__name__)

MAX_SECRETS = 100_000
MAX_SECRET_BYTES = 65_536
# 48 bits: among 100,000 secrets two share a token once in fifty thousand installations.
TOKEN_DIGITS = 12
KEY_BYTES = 32

_LINE = re.compile(rb"(([0-9a-f]{%d}) ([A-Za-z0-9_=-]+)) ([0-9a-f]{8})\n" % TOKEN_DIGITS)
_MASK = re.compile(rf"\[[A-Za-z][\w-]*:([0-9a-f]{{{TOKEN_DIGITS}}})\]", re.ASCII)
_MAX_LINE = 2 * MAX_SECRET_BYTES
_MAX_NESTING = 4


class SecretTokenStore:
    """Implements `SecretTokens` with a file that several processes may append to at once.

    A line is a token, what it stands for, encrypted, and a checksum, which a line that was cut off lacks. The same secret has the same token in every process that
    uses the same key. Past `max_secrets` tokens are still made, but can no longer be revealed; that is counted.
    Raises MissingDependency without the package `cryptography`.
    """

    def __init__(
        self, path: Path, *, max_secrets: int = MAX_SECRETS, counters: Counters | None = None
    ) -> None:
        _fernet()  # says at the start that it is missing, not when the first secret comes along
        self._path = path
        self._key_path = path.with_name(f"{path.name}.key")
        self._max_secrets = max_secrets
        self._counters = counters or Counters()
        self._lock = threading.Lock()
        self._keys: tuple[bytes, Fernet] | None = None
        self._known: set[str] = set()
        self._read_bytes = 0
        self._is_line_open = False
        self._has_complained = False

    def open(self) -> None:
        """Make the key if there is none, and read what is known. Raises DataDirError, ConfigError."""
        with self._lock:
            self._open()

    def token(self, kind: str, secret: str) -> str:
        """Return the secret's token, and keep the secret. Never raises: without a key the token is empty."""
        del kind  # one secret is one token, whatever it was taken for
        plain = secret.encode("utf-8", "surrogatepass")
        with self._lock:
            try:
                sign, box = self._open()
            except (OSError, ConfigError) as error:
                self._lose("disk", error)
                return ""
            found = _token(sign, plain)
            if found not in self._known:
                self._keep(found, plain, box)
            return found

    def reveal(self, token: str) -> str:
        """Return the secret of a token or of a whole mask. Raises NotFound, DataDirError, ConfigError."""
        return self._reveal(_bare(token), _MAX_NESTING)

    # -- keeping

    def _keep(self, token: str, plain: bytes, box: Fernet) -> None:
        if len(plain) > MAX_SECRET_BYTES:
            self._lose("too_large")
            return
        if len(self._known) >= self._max_secrets:
            self._lose("full")
            return
        try:
            self._catch_up()
            if token in self._known:
                return
            self._append(_line(token, box.encrypt(plain)))
        except OSError as error:
            self._lose("disk", error)
        else:
            self._known.add(token)

    def _append(self, line: bytes) -> None:
        # One write at the end of the file: lines of several processes do not mix. A line that was cut off (a
        # full disk, a crash) spoils itself only, because the next one begins anew.
        line = b"\n" + line if self._is_line_open else line
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self._is_line_open = True
            if os.write(descriptor, line) < len(line):
                raise OSError(f"{self._path} took a part of a line")
            self._is_line_open = False
        finally:
            os.close(descriptor)

    def _lose(self, reason: str, error: Exception | None = None) -> None:
        self._counters.add(SECRETS_LOST, reason=reason)
        if error is not None and not self._has_complained:
            self._has_complained = True
            logger.warning(
                "masked secrets cannot be kept", extra={"path": str(self._path), "error": str(error)}
            )

    # -- reading

    def _open(self) -> tuple[bytes, Fernet]:
        if self._keys is None:
            master = self._master_key()
            box = _fernet()(base64.urlsafe_b64encode(_derived(master, b"encrypt")))
            self._catch_up()
            self._keys = _derived(master, b"token"), box
        return self._keys

    def _master_key(self) -> bytes:
        try:
            self._key_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not self._key_path.exists():
                make_once(self._key_path, base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)))
            text = self._key_path.read_bytes().strip()
        except OSError as error:
            raise DataDirError(
                f"the key of masked secrets {self._key_path} cannot be used: {error.strerror}",
                hint="Make the folder writable for this user, or set AWF_DATA_DIR to another one.",
            ) from error
        try:
            key = base64.b64decode(text, altchars=b"-_", validate=True)
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise ConfigError(
                f"{self._key_path} holds no key of {KEY_BYTES} bytes",
                hint="Restore it, or remove it: a new one is made, and earlier masks cannot be revealed.",
            )
        return key

    def _catch_up(self) -> None:
        """Read what other processes have appended since the last time."""
        for token, _ in self._lines(self._read_bytes):
            if len(self._known) < self._max_secrets:
                self._known.add(token)

    def _lines(self, offset: int) -> Iterator[tuple[str, bytes]]:
        """Yield the lines from an offset on; damaged ones are counted, one that is still being written waits."""
        try:
            stream = self._path.open("rb")
        except FileNotFoundError:
            return
        with stream:
            if os.fstat(stream.fileno()).st_size < self._read_bytes:  # removed, to forget what it held
                self._known.clear()
                self._read_bytes = offset = 0
            stream.seek(offset)
            while line := stream.readline(_MAX_LINE):
                if not line.endswith(b"\n") and len(line) < _MAX_LINE:
                    self._is_line_open = True
                    return
                if offset >= self._read_bytes:
                    self._read_bytes = offset + len(line)
                    self._is_line_open = False
                    is_new = True
                else:
                    is_new = False
                offset += len(line)
                if (parts := _LINE.fullmatch(line)) and _check(parts[1]) == parts[4]:
                    yield parts[2].decode(), parts[3]
                elif is_new and line.strip():
                    self._counters.add(SECRETS_LOST, reason="damaged")

    def _reveal(self, token: str, nesting: int) -> str:
        with self._lock:
            if self._keys is None and not self._path.exists():
                raise _unknown(token, self._path)  # makes no key: there is nothing that it could open
            sign, box = self._open()
            plain = self._decrypted(token, sign, box)
        # A secret may contain what was masked before it, such as an address inside a password.
        text = plain.decode("utf-8", "surrogatepass")
        return _MASK.sub(lambda inner: self._inner(inner, nesting - 1), text)

    def _inner(self, mask: re.Match[str], nesting: int) -> str:
        if nesting > 0:
            with contextlib.suppress(NotFound):
                return self._reveal(mask[1], nesting)
        return mask[0]

    def _decrypted(self, token: str, sign: bytes, box: Fernet) -> bytes:
        from cryptography.fernet import InvalidToken

        for found, encrypted in self._lines(0):
            if found != token:
                continue
            try:
                plain = box.decrypt(encrypted)
            except InvalidToken:
                self._counters.add(SECRETS_LOST, reason="damaged")
                continue
            if _token(sign, plain) == token:
                return plain
        raise _unknown(token, self._path)


def _bare(token: str) -> str:
    mask = _MASK.fullmatch(token.strip())
    return mask[1] if mask else token.strip()


def _unknown(token: str, path: Path) -> NotFound:
    return NotFound(
        f"no secret is kept for {token[:40]!r} in {path}",
        hint="Secrets are kept while AWF_REDACT_REVERSIBLE is on, on the machine where they were masked.",
    )


def _token(sign: bytes, plain: bytes) -> str:
    return hmac.new(sign, plain, hashlib.sha256).hexdigest()[:TOKEN_DIGITS]


def _line(token: str, encrypted: bytes) -> bytes:
    content = b"%s %s" % (token.encode(), encrypted)
    return b"%s %s\n" % (content, _check(content))


def _check(content: bytes) -> bytes:
    return b"%08x" % zlib.crc32(content)


def _derived(master: bytes, purpose: bytes) -> bytes:
    """Return a key for one purpose: what one of them gives away says nothing of the other."""
    return hmac.new(master, b"awf redaction: " + purpose, hashlib.sha256).digest()


def _fernet() -> type[Fernet]:
    try:
        from cryptography.fernet import Fernet
    except ImportError as error:
        raise MissingDependency(
            "masks that can be revealed need the package cryptography", hint="pip install 'awf[otel]'"
        ) from error
    return Fernet
