"""docker/awf.Dockerfile: what it says, and its build stage run without an engine (no engine was there to try it)."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.stack._compose import ROOT, SERVICES
from tests.stack._dockerfile import TEXT, context, run_build_stage, stages

IS_WANTED = bool(os.environ.get("CI") or os.environ.get("AWF_TEST_IMAGE"))
USER = 10001


def last(word: str) -> str:
    return [argument for name, argument in stages()[-1] if name == word][-1]


def test_the_image_is_built_in_two_stages_on_the_base_that_compose_names() -> None:
    assert [stage[0][1] for stage in stages()] == ["${PYTHON_IMAGE} AS build", "${PYTHON_IMAGE}"]
    pinned = yaml.safe_load((ROOT / "compose.yaml").read_text())["x-images"]["python"]
    assert SERVICES["secrets"]["build"]["args"] == {"PYTHON_IMAGE": pinned}
    assert not re.search(r"python:\d", TEXT)


def test_it_runs_as_a_user_that_is_not_root_and_is_the_one_of_compose() -> None:
    assert last("USER") == f"{USER}:{USER}" == SERVICES["awf"]["user"]
    assert f"--gid {USER} awf" in TEXT
    assert f"--uid {USER} " in TEXT


def test_its_health_check_needs_no_program_but_python() -> None:
    assert re.search(r'CMD \["python", "-c", ".*urlopen.*8000/healthz', last("HEALTHCHECK"))


def test_every_install_is_by_hash_or_of_the_wheel_just_built() -> None:
    installs = re.findall(
        r"pip (?:--python \S+ )?install (.*?)(?= &&|$)", " ".join(TEXT.replace("\\\n", " ").splitlines())
    )
    assert len(installs) == 3
    for each in installs:
        assert "--require-hashes" in each or "--no-deps --no-index" in each


def test_the_builder_is_sent_the_package_and_no_secret() -> None:
    tracked = subprocess.run(["git", "ls-files", "awf"], cwd=ROOT, capture_output=True, text=True, check=True)
    wanted = {"pyproject.toml", "README.md", "requirements/build.txt", "requirements/runtime.txt"}
    assert context() == set(tracked.stdout.split()) | wanted


def test_the_wheel_has_every_file_of_the_package(tmp_path: Path) -> None:
    source = tmp_path / "src"
    for path in context():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, source / path)
    pip = [sys.executable, "-m", "pip"]
    subprocess.run(
        [*pip, "wheel", "-q", "--no-deps", "--no-index", "--no-build-isolation", "-w", tmp_path, source],
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("awf/")}
    assert packed == {path for path in context() if path.startswith("awf/")}


@pytest.mark.skipif(not IS_WANTED, reason="installs 300 MB twice: set AWF_TEST_IMAGE=1")
def test_the_build_stage_makes_the_same_files_twice_and_another_user_runs_them(tmp_path: Path) -> None:
    place = Path("/var/tmp") / f"awf-image-{os.getpid()}"  # where other users can go
    python, may_be_read = _python()
    try:
        first = _digests(run_build_stage(place, python))
        shutil.rmtree(place)
        built = run_build_stage(place, python)
        assert _digests(built) == first
        place.chmod(0o755)
        (data := place / "data").mkdir()
        as_user: dict[str, object] = {}
        if os.geteuid() == 0 and may_be_read:
            os.chown(data, USER, USER)
            as_user = {"user": USER, "group": USER, "extra_groups": []}
        environ = {
            "PATH": f"{built / 'bin'}:/usr/bin:/bin",
            "AWF_DATA_DIR": str(data),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        for command in (
            ["awf", "--version"],
            ["mcp-grafana", "--version"],
            ["awf", "generate", "--output", str(data)],
        ):
            subprocess.run(command, env=environ, cwd="/", check=True, timeout=60, **as_user)  # type: ignore[call-overload]
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _python() -> tuple[str, bool]:
    """Return a Python that makes environments, the system's if it can: every user may read that one."""
    wanted = "import sys, ensurepip; sys.exit(sys.version_info < (3, 11))"
    system = "/usr/bin/python3"
    has_it = (
        Path(system).exists() and subprocess.run([system, "-c", wanted], capture_output=True).returncode == 0
    )
    return (system, True) if has_it else (sys.executable, False)


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
