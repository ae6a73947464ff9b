"""How long after a kill -9 a job begins again elsewhere.

Every worker that is killed holds a job, which is begun again by whoever gets it next. Workers
have lived for a while when they are killed: what is killed as soon as it starts is a crash
loop, and is meant to be slowed down.
"""

import math
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from statistics import median

from tests.bench.queue.contestant import Contestant, kill
from tests.bench.queue.drain import wait_until_begun
from tests.bench.queue.scoreboard import board
from tests.bench.table import Row, Table
from tests.waiting import wait_for

WORKER_SECONDS = 2.0
SUPERVISOR_SECONDS = 20.0

#: Supervisors of two workers each, of which the rounds kill so many workers at once: five times
#: one of a pool that has others idle, and all ten, when nobody is left but the replacements.
SUPERVISORS = 5
ROUNDS = (5, 5, 10)

#: Supervisors that are killed with their worker, and the time from one to the next: together
#: about two intervals of the survivor's sweep, so that they are killed at all its phases.
VICTIMS = 20
STAGGER_SECONDS = 0.5

#: How old workers are when they are killed.
SETTLED_SECONDS = 4.0

#: Celery's ``visibility_timeout`` here (``peers.celery``): the time before which it cannot know.
VISIBILITY = 60

#: How many workers of each peer are killed, and how long is waited for their jobs.
PEER_VICTIMS = 4
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Scene:
    """What of a peer is killed: the process that does the job, and its parent with it or not."""

    name: str
    module: str
    is_parent_killed: bool
    has_parent: bool = True

    def victim(self, number: int) -> "Victim":
        parents = (board().parent(number),) if self.has_parent and self.is_parent_killed else ()
        return Victim(number, (*parents, board().pid(number)))


SCENES = (
    Scene("rq, horse", "rq", is_parent_killed=False),
    Scene("rq, worker and horse", "rq", is_parent_killed=True),
    Scene("Celery, pool process", "celery", is_parent_killed=False),
    Scene(f"Celery, node (visibility {VISIBILITY} s)", "celery", is_parent_killed=True),
    Scene("Procrastinate, worker", "procrastinate", is_parent_killed=True, has_parent=False),
)


@dataclass(frozen=True)
class Victim:
    """A held job, and the processes whose death is to free it."""

    number: int
    pids: tuple[int, ...]


def bench_rescue(table: Table) -> None:
    with Contestant("ours") as ours:
        worker = workers_killed(ours)
        supervisor = supervisors_killed(ours)
    table.add(Row("rescue from a killed worker, p50", median(worker), WORKER_SECONDS, "s"))
    table.add(Row("rescue from a killed worker, max", max(worker), WORKER_SECONDS, "s", 1.0))
    table.add(
        Row("rescue from a killed supervisor, p50", median(supervisor), SUPERVISOR_SECONDS, "s")
    )
    table.add(
        Row("rescue from a killed supervisor, max", max(supervisor), SUPERVISOR_SECONDS, "s", 1.0)
    )
    for scene, theirs in peers_killed():
        mine = supervisor if scene.is_parent_killed else worker
        late = "" if max(theirs) < math.inf else f" (inf: >{PATIENCE_SECONDS:.0f} s)"
        table.add(Row(f"rescue p50, / {scene.name}{late}", median(mine), median(theirs), "s"))
        table.add(Row(f"rescue max, / {scene.name}{late}", max(mine), max(theirs), "s"))


def workers_killed(ours: Contestant) -> list[float]:
    """Kill workers under supervisors that live; return the seconds until their jobs began."""
    ours.ask("prepare")
    seconds: list[float] = []
    with ours.started("pair", copies=SUPERVISORS) as crew:
        wait_for(lambda: len(crew.processes) >= 3 * SUPERVISORS)
        for count in ROUNDS:
            time.sleep(SETTLED_SECONDS)
            victims = [Victim(n, (board().pid(n),)) for n in held(ours, count)]
            kills = killed(victims)
            seconds += [waited - kills[n] for n, waited in rescued(victims).items()]
            sys.stderr.write(f"{count} workers killed: {_shown(seconds[-count:])}\n")
            wait_for(lambda: not ours.ask("left"))
    return seconds


def supervisors_killed(ours: Contestant) -> list[float]:
    """Kill supervisors with their workers; return the seconds until their jobs began."""
    ours.ask("prepare")
    with ours.started("one", copies=VICTIMS):
        numbers = held(ours, VICTIMS)
        with ours.started("survivor") as survivor:
            wait_for(lambda: len(survivor.processes) > 4)
            time.sleep(SETTLED_SECONDS)
            victims = [Victim(n, (board().parent(n), board().pid(n))) for n in numbers]
            kills = killed(victims, every=STAGGER_SECONDS)
            seconds = [waited - kills[n] for n, waited in rescued(victims).items()]
    sys.stderr.write(f"{VICTIMS} supervisors killed: {_shown(seconds)}\n")
    return seconds


def peers_killed() -> list[tuple[Scene, list[float]]]:
    """Kill workers of all peers at once, as most of the time is waiting; return what came of it.

    Each has one more worker, which was there before and held nothing.
    """
    deaths: list[tuple[Scene, list[Victim]]] = []
    with ExitStack() as stack:
        for module in dict.fromkeys(scene.module for scene in SCENES):
            peer = stack.enter_context(Contestant(module))
            peer.ask("prepare")
            scenes = [scene for scene in SCENES if scene.module == module]
            count = PEER_VICTIMS * len(scenes)
            stack.enter_context(peer.started("rescue", copies=count))
            numbers = iter(held(peer, count))
            stack.enter_context(peer.started("rescue"))
            deaths += [
                (scene, [scene.victim(n) for n in islice(numbers, PEER_VICTIMS)])
                for scene in scenes
            ]
        time.sleep(2 * SETTLED_SECONDS)
        everybody = [victim for _, victims in deaths for victim in victims]
        sys.stderr.write(f"killing {len(everybody)} workers of peers, waiting for their jobs\n")
        kills = killed(everybody)
        waited = rescued(everybody)
    return [(scene, [waited[v.number] - kills[v.number] for v in vs]) for scene, vs in deaths]


def held(contestant: Contestant, count: int) -> list[int]:
    """Enqueue jobs that hold their workers, one each; return their numbers once all do."""
    first = board().reserve(count)
    contestant.ask("enqueue", "hold", first, count)
    wait_until_begun(first, count)
    return list(range(first, first + count))


def killed(victims: list[Victim], *, every: float = 0.0) -> dict[int, float]:
    """Kill each victim, one ``every`` so many seconds; return when, by the number of its job."""
    kills = {}
    for victim in victims:
        kills[victim.number] = time.time()
        for pid in victim.pids:
            kill(pid)
        time.sleep(every)
    return kills


def rescued(victims: list[Victim]) -> dict[int, float]:
    """Return when each of the jobs began again, infinity where it did not for long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    waiting = {victim.number for victim in victims}
    while waiting and time.monotonic() < deadline:
        time.sleep(0.02)
        waiting -= {number for number in waiting if board().restarted(number)}
    return {v.number: board().restarted(v.number) or math.inf for v in victims}


def _shown(seconds: list[float]) -> str:
    return " ".join(f"{value:.2f}" for value in sorted(seconds))
