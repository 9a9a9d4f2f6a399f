"""Certificates of an authority made for one test: a server's for loopback, a client's, and a stranger's."""

from __future__ import annotations

import subprocess
from pathlib import Path


class Certificates:
    """PEM files in a folder: `path("server", "crt")` and so on; the authority itself is `path("ca", "crt")`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        for authority in ("ca", "strange-ca"):
            self._openssl(
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={authority}",
                "-keyout", self.path(authority, "key"), "-out", self.path(authority, "crt"),
            )  # fmt: skip
        self._issue("server", "ca", "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth")
        self._issue("client", "ca", "extendedKeyUsage=clientAuth")
        self._issue("stranger", "strange-ca", "extendedKeyUsage=clientAuth")

    def path(self, name: str, kind: str) -> str:
        return str(self._folder / f"{name}.{kind}")

    def _issue(self, name: str, authority: str, extensions: str) -> None:
        Path(self.path(name, "ext")).write_text(extensions)
        self._openssl(
            "req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
            "-keyout", self.path(name, "key"), "-out", self.path(name, "csr"),
        )  # fmt: skip
        self._openssl(
            "x509", "-req", "-days", "2", "-in", self.path(name, "csr"), "-extfile", self.path(name, "ext"),
            "-CA", self.path(authority, "crt"), "-CAkey", self.path(authority, "key"), "-CAcreateserial",
            "-out", self.path(name, "crt"),
        )  # fmt: skip

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)
