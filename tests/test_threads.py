"""The number of threads and how they wait: from cores, control groups and load; what the user has set is kept."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pxs import threads
from pxs.threads import Machine, choose, look

ROOT = Path(__file__).parents[1]
IDLE, BUSY = Machine(present=8, allowed=8, load=0.2), Machine(present=8, allowed=8, load=5)
SMALL = Machine(present=64, allowed=64, quota=2.5)


@pytest.mark.parametrize(
    ("machine", "cores", "busy"),
    [
        (IDLE, 8, False),
        (BUSY, 8, True),
        (SMALL, 3, False),
        (Machine(8, 8, load=0.5), 8, True),
        (Machine(8, 2, load=6.4), 2, False),
        (Machine(8, 2, load=6.5), 2, True),
        (Machine(8, 2, pressure=0.15), 2, False),
        (Machine(8, 2, pressure=0.25), 2, True),
        (Machine(64, 64, quota=0.5, load=63.5), 1, True),
        (Machine(2, 1, load=1), 1, False),
    ],
)
def test_cores_and_whether_others_need_them(machine, cores, busy):
    assert (machine.cores, machine.busy) == (cores, busy)


@pytest.mark.parametrize(
    ("machine", "before", "after"),
    [
        (IDLE, {}, {}),
        (BUSY, {}, {"OMP_WAIT_POLICY": "passive"}),
        (SMALL, {}, {"OMP_NUM_THREADS": "3"}),
        (Machine(4, 4, quota=1, load=4), {}, {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}),
        (BUSY, {"OMP_NUM_THREADS": "8"}, {"OMP_NUM_THREADS": "8"}),
        (SMALL, {"OMP_NUM_THREADS": "64"}, {"OMP_NUM_THREADS": "64"}),
        (BUSY, {"OMP_WAIT_POLICY": "active"}, {"OMP_WAIT_POLICY": "active"}),
        (BUSY, {"GOMP_SPINCOUNT": "7"}, {"GOMP_SPINCOUNT": "7"}),
    ],
)
def test_what_is_not_set_is_set_and_nothing_else_is_touched(machine, before, after):
    environment = dict(before)
    chosen = choose(machine, environment)
    assert environment == after and set(chosen) == set(after) - set(before)


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, math.inf),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, math.inf),
        (
            {
                "proc/self/cgroup": "0::/pod/box\n",
                "sys/fs/cgroup/pod/box/cpu.max": "max 100000",
                "sys/fs/cgroup/pod/cpu.max": "300000 100000",
                "sys/fs/cgroup/cpu.max": "800000 100000",
            },
            3,
        ),
        (
            {
                "proc/self/cgroup": "5:memory:/a\n4:cpu,cpuacct:/docker/a\n",
                "sys/fs/cgroup/cpu,cpuacct/docker/a/cpu.cfs_quota_us": "50000\n",
                "sys/fs/cgroup/cpu,cpuacct/docker/a/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            0.5,
        ),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "many\n"}, math.inf),
    ],
)
def test_control_groups_of_both_versions_are_read(tmp_path, files, quota):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    assert look(tmp_path).quota == quota


@pytest.mark.parametrize(
    ("loadavg", "load"),
    [("3.50 1.00 0.50 9/300 4242", 3.5), ("3.50 1.00 0.50 1/300 4242", 0), ("0.10 1 1 9/300 1", 0.1), ("?", 0)],
)
def test_a_load_is_one_of_the_last_minute_that_lasts(tmp_path, loadavg, load):
    (tmp_path / "proc/pressure").mkdir(parents=True)
    (tmp_path / "proc/loadavg").write_text(loadavg)
    (tmp_path / "proc/pressure/cpu").write_text("some avg10=12.50 avg60=1.00 avg300=0.00 total=1\n")
    assert (look(tmp_path).load, look(tmp_path).pressure) == (load, 0.125)


@pytest.mark.parametrize(
    ("count", "chosen", "each"),
    [(None, {}, 2), ("3", {}, 3), ("6", {"OMP_NUM_THREADS": "the group"}, 2), ("many", {}, 2)],
)
def test_processes_share_the_cores_unless_the_user_says_how_many(monkeypatch, count, chosen, each):
    monkeypatch.setattr(threads, "_MACHINE", Machine(8, 8, quota=6 if chosen else math.inf))
    monkeypatch.setattr(threads, "_CHOSEN", chosen)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if count:
        monkeypatch.setenv("OMP_NUM_THREADS", count)
    assert threads.share(3 if chosen else 4) == each and threads.share(100) == (3 if each == 3 else 1)


TOLD = """
import os, sys
import pxs
from pxs.threads import described
assert "torch" not in sys.modules
import torch
print(torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS"), described()["threads"])
"""


@pytest.mark.parametrize("count", ["1", "2"])
def test_a_count_of_the_user_wins_and_is_told(count):
    environment = {**os.environ, "OMP_NUM_THREADS": count, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", TOLD], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"{count} {count} {count} (OMP_NUM_THREADS, yours)\n"
