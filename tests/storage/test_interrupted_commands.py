"""Commands that are killed by SIGKILL or whose disk is full: no half file, and the same command goes on to the end."""

import pytest
from interrupting import COMMANDS, KILLS, interrupted

from pxs.data.synthetic_ffe import write_synthetic_set
from pxs.faces.draw import draw
from pxs.faces.identity import Identity


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """All interruptions, by kind and command."""
    place = tmp_path_factory.mktemp("interrupted")
    draw(Identity.sample(1)).save(place / "face.png")
    write_synthetic_set(place / "set", 6, size=16)
    found = {(kind, command): [] for kind in ("kill", "full") for command in COMMANDS}
    for run in interrupted(place):
        found[run["kind"], run["command"]].append(run)
    return found


def check_going_on(run):
    assert run["torn"] == []
    assert run["again"] == 0 and "cannot" not in run["said"]
    assert run["equal"] and run["left"] == []


@pytest.mark.parametrize("command", KILLS)
def test_a_killed_command_goes_on_as_if_nothing_had_been(command, runs):
    killed = runs["kill", command]
    assert [run["status"] for run in killed] == [-9] * KILLS[command]
    assert killed[0]["missing"] > 0
    for run in killed:
        check_going_on(run)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_is_one_line_and_the_command_goes_on_when_there_is_room(command, runs):
    (run,) = runs["full", command]
    *before, said = run["err"].splitlines()
    assert run["status"] == 2 and "cannot be " in said and ("No space left" in said or "too large" in said)
    assert not before or command == "train" and before[0].startswith("pxs: recipe") and len(before) == 1
    assert run["missing"] > 0
    check_going_on(run)
