"""Confines itself, then becomes a script. Run by path with `python -I -S`, in a process of its own; imports nothing of AWF.

With namespaces the script gets a network without any interface and a process tree that ends with it.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

CANNOT_CLOSE = 125
CANNOT_START = 126
NEW_USER, NEW_PID, NEW_NET = 0x10000000, 0x20000000, 0x40000000
NO_NEW_PRIVILEGES, DIE_WITH_PARENT, SIGKILL = 38, 1, 9


def main(task: dict[str, object]) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    is_apart = _separate(libc, with_network=bool(task["network"]))
    if not is_apart and not task["network"] and not task["may_stay_open"]:
        return CANNOT_CLOSE
    if not is_apart:
        return _become(task)
    libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    # The first process of the new tree only waits: when it ends, the kernel ends all that the script left behind.
    return _in_child(lambda: _first(libc, task))


def _first(libc: ctypes.CDLL, task: dict[str, object]) -> int:
    libc.prctl(DIE_WITH_PARENT, SIGKILL, 0, 0, 0)
    return _in_child(lambda: _become(task))


def _separate(libc: ctypes.CDLL, *, with_network: bool) -> bool:
    """Enter namespaces of our own: as a user of our own where that is permitted, else as the root that we may be."""
    wanted = NEW_PID | (0 if with_network else NEW_NET)
    user, group = os.getuid(), os.getgid()
    unshare = getattr(libc, "unshare", None)
    if unshare is None:  # no Linux
        return False
    if unshare(NEW_USER | wanted) != 0:
        return bool(unshare(wanted) == 0)
    with suppress(OSError):  # without a map the script runs as nobody: the namespaces are what counts
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    return True


def _in_child(work: Callable[[], int]) -> int:
    child = os.fork()
    if child == 0:
        code = CANNOT_START
        try:
            code = work()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _become(task: dict[str, object]) -> int:
    """Replace this process by the script, within its limits; returns only when that fails."""
    limits = {
        resource.RLIMIT_AS: int(str(task["memory_bytes"])),
        resource.RLIMIT_CPU: int(str(task["cpu_s"])),
        resource.RLIMIT_FSIZE: int(str(task["file_bytes"])),
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_CORE: 0,
    }
    program = str(task["program"])
    try:
        for kind, limit in limits.items():
            resource.setrlimit(kind, (limit, limit))
        os.execve(program, [program], dict(os.environ))  # noqa: S606 - no shell is what is wanted
    except (OSError, ValueError) as error:
        os.write(2, f"{program} cannot be started: {error}\n".encode())
    return CANNOT_START


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
