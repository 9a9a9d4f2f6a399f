"""The store of masked secrets: private, shared by processes, robust against damage and a full disk, bounded."""

from __future__ import annotations

import multiprocessing
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from awf.core.counters import Counters
from awf.core.redact import Redactor
from awf.core.semconv import SECRETS_LOST
from awf.errors import ConfigError, DataDirError, NotFound
from awf.orchestration.secret_tokens import MAX_SECRET_BYTES, SecretTokenStore

REPOSITORY = Path(__file__).parents[3]


def lost(counters: Counters) -> dict[str, float]:
    return {labels["reason"]: value for name, labels, value in counters.snapshot() if name == SECRETS_LOST}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "secrets"


@pytest.fixture
def counters() -> Counters:
    return Counters()


def test_nothing_is_made_before_it_is_needed(path: Path) -> None:
    store = SecretTokenStore(path)
    with pytest.raises(NotFound, match="0f1e2d3c4b5a"):
        store.reveal("0f1e2d3c4b5a")
    assert not path.parent.exists()


def test_the_files_are_for_their_owner_alone_and_do_not_tell_the_secret(path: Path) -> None:
    SecretTokenStore(path).token("email", "bob@example.com")
    assert sorted(each.name for each in path.parent.iterdir()) == ["secrets", "secrets.key"]
    for each in path.parent.iterdir():
        assert stat.S_IMODE(each.stat().st_mode) == 0o600
        assert b"bob" not in each.read_bytes()


def test_tokens_of_another_key_are_others(tmp_path: Path) -> None:
    one, two = (SecretTokenStore(tmp_path / name).token("email", "bob@example.com") for name in "ab")
    assert one != two


def test_a_secret_outlives_the_process_and_is_kept_once(path: Path) -> None:
    token = SecretTokenStore(path).token("email", "bob@example.com")
    later = SecretTokenStore(path)
    assert later.token("email", "bob@example.com") == token
    assert later.reveal(token) == later.reveal(f"[email:{token}]") == "bob@example.com"
    assert len(path.read_bytes().splitlines()) == 1


def test_what_was_masked_inside_of_a_secret_is_revealed_as_well(path: Path) -> None:
    store = SecretTokenStore(path)
    redactor = Redactor({"animal": "zebra"}, tokens=store)
    once = redactor.text("a zebra")
    token = store.token("secret", f"{once} at the door [animal:000000000000]")
    assert store.reveal(token) == "a zebra at the door [animal:000000000000]"


def test_secrets_that_contain_their_own_token_do_not_go_on_for_ever(path: Path) -> None:
    store = SecretTokenStore(path)
    token = store.token("secret", "x")
    for _ in range(10):
        token = store.token("secret", f"[secret:{token}]!")
    assert store.reveal(token).endswith("!!!!")


def _mask_many(path: Path, number: int, send: multiprocessing.connection.Connection) -> None:
    store = SecretTokenStore(path)
    send.send([store.token("secret", f"secret {n} of all") for n in range(150)])
    send.send([store.token("secret", f"secret {n} of {number}") for n in range(150)])


def test_several_processes_share_key_and_file(path: Path, counters: Counters) -> None:
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe(duplex=False) for _ in range(3)]
    processes = [
        context.Process(target=_mask_many, args=(path, number, pipe[1])) for number, pipe in enumerate(pipes)
    ]
    for process in processes:
        process.start()
    shared, own = zip(*((pipe[0].recv(), pipe[0].recv()) for pipe in pipes), strict=True)
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert shared[0] == shared[1] == shared[2]
    store = SecretTokenStore(path, counters=counters)
    for number, tokens in enumerate(own):
        assert [store.reveal(token) for token in tokens[::30]] == [
            f"secret {n} of {number}" for n in range(0, 150, 30)
        ]
    assert store.reveal(shared[0][7]) == "secret 7 of all"
    assert lost(counters) == {}


def test_damaged_lines_are_passed_over_and_counted(path: Path, counters: Counters) -> None:
    store = SecretTokenStore(path)
    tokens = [store.token("secret", f"secret {n}") for n in range(4)]
    lines = path.read_bytes().splitlines(keepends=True)
    forged = lines[2][:12] + lines[3][12:]  # the secret of another token
    path.write_bytes(b"\x00\xff\n" + lines[0] + lines[1][:30] + b"\n" + forged + lines[3][:-20])
    later = SecretTokenStore(path, counters=counters)
    assert later.reveal(tokens[0]) == "secret 0"
    for token in tokens[1:]:
        with pytest.raises(NotFound):
            later.reveal(token)
    assert lost(counters) == {"damaged": 3}  # a line that is none, a part of one, and one with another token
    assert later.token("secret", "another") != later.token("secret", "secret 3")
    assert later.reveal(tokens[3]) == "secret 3"  # kept anew, on a line of its own


def test_past_the_bound_tokens_are_made_and_not_kept(path: Path, counters: Counters) -> None:
    store = SecretTokenStore(path, max_secrets=2, counters=counters)
    tokens = [store.token("secret", f"secret {n}") for n in (1, 2, 3, 1)]
    assert len(set(tokens)) == 3
    assert lost(counters) == {"full": 1}
    assert store.reveal(tokens[1]) == "secret 2"
    with pytest.raises(NotFound):
        store.reveal(tokens[2])
    assert SecretTokenStore(path, max_secrets=2, counters=counters).token("secret", "secret 3") == tokens[2]
    assert lost(counters) == {"full": 2}


def test_the_bound_counts_what_other_processes_keep(path: Path, counters: Counters) -> None:
    one = SecretTokenStore(path, max_secrets=3, counters=counters)
    two = SecretTokenStore(path, max_secrets=3, counters=counters)
    for number in range(4):
        one.token("secret", f"one {number}")
        two.token("secret", f"two {number}")
    assert len(path.read_bytes().splitlines()) <= 4


def test_a_huge_secret_has_a_token_and_is_not_kept(path: Path, counters: Counters) -> None:
    store = SecretTokenStore(path, counters=counters)
    assert store.token("secret", "x" * (MAX_SECRET_BYTES + 1))
    assert not path.exists()
    assert lost(counters) == {"too_large": 1}


def test_removing_the_file_forgets_and_later_secrets_are_kept_again(path: Path) -> None:
    store = SecretTokenStore(path)
    token = store.token("secret", "secret 1")
    path.unlink()
    with pytest.raises(NotFound):
        store.reveal(token)
    store.token("secret", "2")
    assert store.token("secret", "secret 1") == token


# -- what goes wrong


@pytest.mark.parametrize("text", [b"", b"short\n", b"\xff" * 44, b"!" * 44])
def test_a_key_that_is_none_is_named(path: Path, text: bytes) -> None:
    path.parent.mkdir()
    key = path.with_name("secrets.key")
    key.write_bytes(text)
    with pytest.raises(ConfigError, match=rf"{key} holds no key"):
        SecretTokenStore(path).open()


def test_a_folder_that_is_none_is_named_at_the_start_and_masks_without_tokens(
    tmp_path: Path, counters: Counters, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    store = SecretTokenStore(tmp_path / "file" / "secrets", counters=counters)
    with pytest.raises(DataDirError, match=r"secrets.key cannot be used"):
        store.open()
    redactor = Redactor(tokens=store)
    assert redactor.text("bob@example.com, ann@example.com") == "[email], [email]"
    assert lost(counters) == {"disk": 2}
    assert [record.getMessage() for record in caplog.records] == ["masked secrets cannot be kept"]


def test_a_full_disk_costs_the_secret_and_not_the_token(path: Path, counters: Counters) -> None:
    # Files may not grow past this limit: it cuts the second line in the middle.
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (210, 210))\n"
        "from pathlib import Path\n"
        "from awf.core.counters import Counters\n"
        "from awf.orchestration.secret_tokens import SecretTokenStore\n"
        "counters = Counters()\n"
        "store = SecretTokenStore(Path(sys.argv[1]), counters=counters)\n"
        "print(store.token('secret', 'one'), store.token('secret', 'two'), store.token('secret', 'two'))\n"
        "print([value for _, _, value in counters.snapshot()])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "masked secrets cannot be kept" in done.stderr
    tokens, told = done.stdout.splitlines()
    one, two, again = tokens.split()
    assert two == again
    assert told == "[2.0]"
    store = SecretTokenStore(path, counters=counters)
    assert store.reveal(one) == "one"
    assert store.token("secret", "two") == two  # there is room again
    assert store.reveal(two) == "two"
    assert lost(counters) == {"damaged": 1}


def test_without_the_package_the_line_that_installs_it_is_shown(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['cryptography.fernet'] = None\n"
        "from pathlib import Path\n"
        "from awf.errors import MissingDependency\n"
        "from awf.orchestration.secret_tokens import SecretTokenStore\n"
        "try:\n    SecretTokenStore(Path('x'))\n"
        "except MissingDependency as error:\n    print(error.message, error.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout == "masks that can be revealed need the package cryptography pip install 'awf[otel]'\n"


def test_with_another_key_earlier_masks_stay_masked_and_new_ones_work(path: Path, counters: Counters) -> None:
    before = SecretTokenStore(path).token("email", "bob@example.com")
    path.with_name("secrets.key").unlink()
    store = SecretTokenStore(path, counters=counters)
    with pytest.raises(NotFound):
        store.reveal(before)
    assert lost(counters) == {"damaged": 1}
    assert store.reveal(store.token("email", "bob@example.com")) == "bob@example.com"
