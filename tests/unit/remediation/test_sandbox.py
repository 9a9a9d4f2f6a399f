"""What a script can use, and that nothing of it outlives it. The real thing, on this machine."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from awf.remediation.sandbox import Bounds, Ended, can_close_network, run_confined
from tests.unit.remediation._scripts import program

BOUNDS = Bounds(20, 512 * 1024 * 1024, 4_096, network=False, may_stay_open=True, environment={})
closed = pytest.mark.skipif(not can_close_network(), reason="this machine lets no network be closed")


async def run(tmp_path: Path, script: str, given: bytes = b"", **bounds: object) -> Ended:
    program(tmp_path / "script", script)
    return await run_confined(tmp_path / "script", given, replace(BOUNDS, **bounds))  # type: ignore[arg-type]


async def test_it_has_an_empty_folder_of_its_own_that_is_gone_afterwards(tmp_path: Path) -> None:
    ended = await run(tmp_path, "pwd; ls -A | wc -l; echo x > mine; echo $HOME $TMPDIR")
    folder, count, homes = ended.output.split("\n", 2)
    assert (ended.code, count.strip(), homes.split()) == (0, "0", [folder, folder])
    assert not Path(folder).exists()


async def test_its_environment_is_what_was_declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWF_TOKEN", "secret")
    monkeypatch.setenv("LD_PRELOAD_NOT", "secret")
    ended = await run(tmp_path, "/usr/bin/env", environment={"KUBECONFIG": "/etc/k", "HOME": "/root"})
    names = {line.partition("=")[0] for line in ended.output.splitlines()}
    assert names - {"_", "PWD", "SHLVL"} == {"PATH", "LANG", "HOME", "TMPDIR", "KUBECONFIG"}
    assert "secret" not in ended.output
    assert "HOME=/root" not in ended.output


async def test_time_is_limited_and_its_children_end_with_it(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    script = f"(while :; do echo . >> {alive}; sleep 0.05; done) & echo started; sleep 60"
    ended = await run(tmp_path, script, timeout_s=1)
    assert (ended.code, ended.why) == (None, "it was stopped after 1 s")
    assert "started" in ended.output
    size = alive.stat().st_size
    await asyncio.sleep(0.3)
    assert alive.stat().st_size == size


@closed
async def test_what_it_leaves_behind_in_a_session_of_its_own_ends_with_it(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    loop = f"while :; do echo . >> {alive}; sleep 0.05; done"
    ended = await run(tmp_path, f"setsid sh -c '{loop}' > /dev/null 2>&1 < /dev/null & sleep 0.3; echo done")
    assert (ended.code, ended.output) == (0, "done\n")
    size = alive.stat().st_size
    assert size > 0
    await asyncio.sleep(0.3)
    assert alive.stat().st_size == size


async def test_memory_is_limited(tmp_path: Path) -> None:
    script = "#!/usr/bin/env python3\nprint(len(bytearray(400 * 1024 * 1024)))\n"
    assert (await run(tmp_path, script)).code == 0
    ended = await run(tmp_path, script, memory_bytes=200 * 1024 * 1024)
    assert ended.code == 1
    assert "MemoryError" in ended.errors


@pytest.mark.parametrize("to", ["", ">&2"])
async def test_output_is_limited(tmp_path: Path, to: str) -> None:
    ended = await run(tmp_path, f"yes {to}")
    assert (ended.code, ended.why) == (None, "it was stopped: it wrote more than 4096 bytes")
    assert len(ended.output) <= 4_096
    assert len(ended.errors) <= 4_096


async def test_a_file_cannot_grow_without_end(tmp_path: Path) -> None:
    ended = await run(tmp_path, "head -c 100000000 /dev/zero > big; ls -l big | cut -d' ' -f5 >&2; exit 3")
    assert "100000000" not in ended.errors


@closed
async def test_there_is_no_network_unless_it_is_declared(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(20)
        port = listener.getsockname()[1]
        script = (
            f"#!/usr/bin/env python3\nimport socket\nsocket.create_connection(('127.0.0.1', {port}), 5)\n"
        )
        ended = await run(tmp_path, script)
        assert ended.code == 1
        assert "unreachable" in ended.errors or "refused" in ended.errors
        accepting = threading.Thread(target=lambda: listener.accept()[0].close())
        accepting.start()
        assert (await run(tmp_path, script, network=True)).code == 0
        accepting.join(20)


async def test_it_runs_as_the_same_user_and_gains_no_privileges(tmp_path: Path) -> None:
    ended = await run(tmp_path, "id -u; grep NoNewPrivs /proc/self/status")
    user, *rest = ended.output.splitlines()
    assert user == str(os.getuid())
    if can_close_network():
        assert rest[0].split() == ["NoNewPrivs:", "1"]


async def test_it_need_not_read_what_it_is_given(tmp_path: Path) -> None:
    ended = await run(tmp_path, "exit 0", given=b"x" * 1_000_000)
    assert (ended.code, ended.why) == (0, "")


async def test_a_program_that_cannot_be_started_says_so(tmp_path: Path) -> None:
    ended = await run(tmp_path, "#!/no/such/shell\n")
    assert ended.code == 126
    assert "cannot be started" in ended.errors


async def test_many_at_once_do_not_disturb_one_another(tmp_path: Path) -> None:
    program(tmp_path / "script", "cat")
    found = await asyncio.gather(
        *(run_confined(tmp_path / "script", str(n).encode(), BOUNDS) for n in range(8))
    )
    assert [each.output for each in found] == [str(n) for n in range(8)]
