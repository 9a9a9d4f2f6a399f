"""Redaction takes time linear in the text: a megabyte of any hostile shape ends long before a quadratic one would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
# Each begins something at every turn that never ends as a secret does, or ends at every turn.
SHAPES = [
    "a", "a.", "a@", "@a.a", "a@b.", "%40", "://", "://a:", "://a:@", "4", "4111-", "4111 1111 ", "-----BEGIN ",
    "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "sk-", "sk-a", "eyJ", "eyJ-", "eyJaaaaaaaa.", "awf_",
    "SG.aaaaaaaaaaaaaaaa.", "ya29.", "bearer ", "bearer a", "basic dTpw", "token", "token ", "token=[", "token={",
    "token:'", "token:\\\"", "password=", "password=a,", "password=\\", "cookie: ", "authorization: digest ",
    "--token ", "('token', '", "['token', ", "password '", "token=f('", "token=f(", "<token>a", "token={{", "token={ ", "PWD=/", "token=$T", "token=<a", "token: x ", "pass=1", "\\\"token\\\":", "<token>", "[secret]", "password=[secret]x", "[secret:", "secret_", "key_key ",
]  # fmt: skip

# Quadratic work on a million characters is hours; the limit of the process is minutes, the work some seconds.
PROGRAM = """
import sys
from awf.core.redact import Redactor
redactor = Redactor({"employee": "EMP-[0-9]{6}"}, secret_names=["employee_number"])
for shape in sys.argv[1:]:
    text = shape * (1_000_000 // len(shape))
    redactor.text(text)
    print(shape)
"""


def test_a_megabyte_of_any_hostile_shape_is_answered() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *SHAPES],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.splitlines() == SHAPES
