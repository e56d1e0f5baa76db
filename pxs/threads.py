"""How many threads compute, and how they wait for each other: chosen from what is free, before torch is loaded.

A thread of OpenMP that waits for another one spins: it keeps its core busy, because that is fastest on a machine that
has nothing else to do. Where other processes need the cores, threads that spin take them from the threads that they
wait for. So `import pxs` lets them sleep there (OMP_WAIT_POLICY=passive), and where a control group allows fewer cores
than there are, takes that many threads (OMP_NUM_THREADS). Variables that are set already are never changed. The
libraries read them when torch is loaded: what comes later has no effect.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from pathlib import Path

COUNT, WAITING = "OMP_NUM_THREADS", ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
MOST_PRESSURE = 0.2  # of an idle machine


@dataclass(frozen=True)
class Machine:
    """What a process may use.

    present: cores of the machine; allowed: those that it may run on; quota: how many at once its control group gives
    it. load: how many others run or wait to; pressure: the share of the last ten seconds in which some waited.
    """

    present: int
    allowed: int
    quota: float = math.inf
    load: float = 0.0
    pressure: float = 0.0

    @property
    def cores(self) -> int:
        """How many threads can run at once."""
        return max(1, min(self.allowed, math.ceil(self.quota)) if math.isfinite(self.quota) else self.allowed)

    @property
    def busy(self) -> bool:
        """Whether others need the cores: half a core or more of them, or some waited."""
        return self.present - self.load <= self.cores - 0.5 or self.pressure > MOST_PRESSURE

    def __str__(self) -> str:
        return f"{self.cores} of {self.present} cores, load {self.load:.1f}, pressure {self.pressure:.0%}"


def look(root: Path = Path("/")) -> Machine:
    """The machine as it is now; root: where its /proc and /sys are."""
    present = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else present
    return Machine(present, allowed, min(_quotas(root), default=math.inf), _load(root), _pressure(root))


def choose(machine: Machine, environment: MutableMapping[str, str]) -> dict[str, str]:
    """Set the variables that are not set; return those that were, each with the reason."""
    chosen: dict[str, str] = {}
    own = COUNT in environment
    if not own and machine.cores < machine.allowed:
        environment[COUNT] = str(machine.cores)
        chosen[COUNT] = f"the control group gives {machine.quota:g} cores"
    if not own and machine.busy and not any(name in environment for name in WAITING):
        environment[WAITING[0]] = "passive"
        chosen[WAITING[0]] = "others need the cores"
    return chosen


def chosen() -> dict[str, str]:
    """What was chosen when pxs was imported: variables with the reason; empty where torch had been loaded before."""
    return dict(_CHOSEN)


def described() -> dict[str, str]:
    """Count and waiting of the threads for people, each with who chose it."""
    count, waiting = os.environ.get(COUNT), {n: os.environ[n] for n in WAITING if n in os.environ}
    policy = ", ".join(f"{name}={value}" for name, value in waiting.items())
    return {
        "threads": f"{count} ({COUNT}, {_whose(COUNT)})" if count else f"one a core: {_MACHINE.cores}",
        "waiting": f"{policy} ({_whose(WAITING[0])})" if policy else "as OpenMP does by itself: it spins",
        "machine": f"{_MACHINE}{', torch was loaded before pxs' if _LATE else ''}",
    }


def share(workers: int) -> int:
    """How many threads each of `workers` processes takes: OMP_NUM_THREADS of the user, or its share of the cores."""
    own = os.environ.get(COUNT, "")
    if own.isdecimal() and COUNT not in _CHOSEN:
        return max(1, int(own))
    return max(1, _MACHINE.cores // workers)


def _whose(name: str) -> str:
    return f"chosen: {_CHOSEN[name]}" if name in _CHOSEN else "yours"


def _load(root: Path) -> float:
    """How many others run: the mean of the last minute, or the number of now where it is smaller."""
    try:
        mean, _, _, now, *_ = (root / "proc/loadavg").read_text().split()
        return min(float(mean), int(now.split("/")[0]) - 1.0)
    except (OSError, ValueError):  # no Linux
        return 0.0


def _pressure(root: Path) -> float:
    try:
        words = (root / "proc/pressure/cpu").read_text().split()
        return float(words[1].removeprefix("avg10=")) / 100
    except (OSError, ValueError, IndexError):  # a kernel that does not count it
        return 0.0


def _quotas(root: Path) -> Iterator[float]:
    """The numbers of cores that the control groups of this process give, from its own to the outermost."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, kinds, path = line.split(":", 2)
        if kinds and "cpu" not in kinds.split(","):
            continue
        first, second = ("cpu", "cpu,cpuacct") if kinds else (".", "unified")
        for mount in (f"sys/fs/cgroup/{first}", f"sys/fs/cgroup/{second}"):
            inner = (root / mount).joinpath(*Path(path).parts[1:])
            for folder in (inner, *inner.parents):
                if folder == root / "sys/fs":
                    break
                yield from _quota(folder)


def _quota(folder: Path) -> Iterator[float]:
    """The quota of one control group, if it has one: cpu.max of version 2, cpu.cfs_* of version 1."""
    try:
        if (folder / "cpu.max").is_file():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota, period = ((folder / f"cpu.cfs_{part}_us").read_text() for part in ("quota", "period"))
        if quota != "max" and int(quota) > 0 and int(period) > 0:
            yield int(quota) / int(period)
    except (OSError, ValueError):
        return


_MACHINE, _LATE = look(), "torch" in sys.modules
_CHOSEN = {} if _LATE else choose(_MACHINE, os.environ)
