"""Who holds which lane, over restarts and side by side."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from awf.errors import DataDirError
from awf.orchestration import spool_lanes
from awf.orchestration.spool_lanes import INSTANCE, SERVICE, claim, folders, is_held, orphans, read_resource

WEB, WORKER = {SERVICE: "web", INSTANCE: "web-1"}, {SERVICE: "worker", INSTANCE: "worker-1"}


def test_a_restarted_process_goes_on_with_its_lane_and_its_instance_id(tmp_path: Path) -> None:
    claim(tmp_path, WEB).release()
    again = claim(tmp_path, {SERVICE: "web", INSTANCE: "web-2", "team": "blue"})
    assert again.folder.name == "0001"
    assert again.resource == {SERVICE: "web", INSTANCE: "web-1", "team": "blue"}
    assert read_resource(again.folder) == again.resource
    again.release()


def test_an_instance_id_that_was_given_chooses_the_lane(tmp_path: Path) -> None:
    claim(tmp_path, WEB).release()
    other = claim(tmp_path, {SERVICE: "web", INSTANCE: "pod-7"}, is_instance_given=True)
    assert other.resource[INSTANCE] == "pod-7"
    assert other.folder.name == "0002"
    other.release()
    same = claim(tmp_path, {SERVICE: "web", INSTANCE: "pod-7"}, is_instance_given=True)
    assert same.folder == other.folder
    same.release()


def test_processes_side_by_side_and_services_have_lanes_of_their_own(tmp_path: Path) -> None:
    lanes = [claim(tmp_path, WEB), claim(tmp_path, WEB), claim(tmp_path, WORKER)]
    assert [lane.folder.name for lane in lanes] == ["0001", "0002", "0003"]
    assert all(is_held(lane.folder) for lane in lanes)
    assert list(orphans(tmp_path)) == []
    lanes[1].release()
    (left,) = orphans(tmp_path)
    assert left.folder == lanes[1].folder
    left.release()
    for lane in (lanes[0], lanes[2]):
        lane.release()


def test_a_dead_process_holds_nothing(tmp_path: Path) -> None:
    program = """
        import os, sys
        from pathlib import Path
        from awf.orchestration.spool_lanes import claim
        lane = claim(Path(sys.argv[1]), {"service.name": "web", "service.instance.id": "web-9"})
        print(lane.folder.name, flush=True)
        os.kill(os.getpid(), 9)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stdout.strip() == "0001"
    lane = claim(tmp_path, WEB)
    assert (lane.folder.name, lane.resource[INSTANCE]) == ("0001", "web-9")
    lane.release()


def test_a_lane_that_its_maker_did_not_finish_is_used(tmp_path: Path) -> None:
    (tmp_path / "0001").mkdir(parents=True)
    (tmp_path / "0002").mkdir()
    (tmp_path / "0002" / "lane.json").write_text("{ damaged")
    assert list(orphans(tmp_path)) == []
    lane = claim(tmp_path, WEB)
    assert lane.folder.name == "0001"
    lane.release()


def test_other_things_in_the_directory_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "0007").write_text("a file")
    (tmp_path / "notes").mkdir()
    lane = claim(tmp_path, WEB)
    assert folders(tmp_path) == [lane.folder]
    lane.release()


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirError, match=r"no spool can be kept in .*file"):
        claim(tmp_path / "file", WEB)


def test_a_lane_that_was_removed_meanwhile_is_not_taken(tmp_path: Path) -> None:
    lane = claim(tmp_path, WEB)
    (lane.folder / "lock").unlink()
    assert spool_lanes._take(lane.folder) is not None, "its file is a new one, and free"
    lane.release()


def test_a_lane_that_cannot_be_named_is_not_held(tmp_path: Path) -> None:
    (tmp_path / "0001" / "lane.new").mkdir(parents=True)
    with pytest.raises(DataDirError, match="no spool can be kept"):
        claim(tmp_path, WEB)
    assert not is_held(tmp_path / "0001")


def test_a_lane_that_was_let_go_is_free_although_the_child_of_a_fork_has_its_lock(tmp_path: Path) -> None:
    lane = claim(tmp_path, WEB)
    wait, go = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(go)
        os.read(wait, 1)
        os._exit(0)
    lane.release()
    try:
        assert not is_held(lane.folder)
    finally:
        os.close(go)
        os.close(wait)
        os.waitpid(child, 0)
