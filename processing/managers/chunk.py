"""The repository of chunk tasks; claim, retry and rescue come from ``jobs``."""

from __future__ import annotations

import json
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import connections, models, transaction
from django.db.models import Count, F, Sum
from django.db.models.functions import Now

from jobs.choices import JobStatus
from jobs.managers.work import DEFAULT_MAX_ATTEMPTS, WorkQuerySet
from processing.choices import ACTIVE, REMOTE_CHUNK_QUEUE
from processing.engines.base import AUTO, SAMPLE_RATE
from processing.managers.transcript import CONTENT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from jobs.models import Work, Worker
    from processing.models import ChunkTask, Recording, Workspace

#: In SQL, because they are asked with every claim: the ORM takes ten times as long to say them.
RUNNING = """
SELECT engine, count(*) FROM chunk_tasks
WHERE status = 'PROCESSING' AND engine = ANY(%s) GROUP BY engine
"""
HEARD_BEFORE = """
SELECT DISTINCT ON (cache_key, workspace_id) cache_key, workspace_id, result FROM chunk_tasks
WHERE status = 'COMPLETED' AND cache_key = ANY(%s) AND workspace_id = ANY(%s)
ORDER BY cache_key, workspace_id, id
"""
HAS_LIMITED_OWNERS = """
SELECT EXISTS (SELECT 1 FROM workspaces WHERE max_concurrent_chunks IS NOT NULL)
    OR EXISTS (SELECT 1 FROM processing_tasks
               WHERE status = ANY(%s) AND max_concurrent_chunks IS NOT NULL)
"""

#: Key of the advisory lock under which chunks are claimed where there are limits.
LIMITS_LOCK = 0x6C696D69


class ChunkTaskQuerySet(WorkQuerySet["ChunkTask"]):
    def of(self, processing_id: UUID) -> Self:
        return self.filter(processing_id=processing_id)

    def in_workspace(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def of_recording(self, recording: Recording) -> Self:
        return self.filter(processing__transcript__recording=recording)

    def without_content(self) -> Self:
        """Leave out what grows with the chunk, for lists."""
        return self.defer("result", "loudness")

    def with_recordings(self) -> Self:
        """Fetch run, transcript and recording along, without the transcript's content."""
        transcript = "processing__transcript"
        return self.select_related(f"{transcript}__recording").defer(
            *(f"{transcript}__{name}" for name in CONTENT)
        )

    def claim(self, *, queue_name: str, worker: Worker, limit: int = 1) -> list[ChunkTask]:
        """As for all work; but no more at once than engines, workspaces and runs allow.

        Where there are limits, claims are made one after the other, and each counts what is
        claimed already: as many rows at a time as cannot be too many.

        They come with their runs, transcripts and recordings, and have as their ``result`` what
        was heard before in a chunk of the workspace with the same audio and request: whoever
        runs many at once need not ask for each.
        """
        from processing.models import ProcessingTask  # noqa: PLC0415  it imports this module

        claimed = self._claimed(queue_name, worker, limit)
        runs = models.Prefetch("processing", ProcessingTask.objects.with_recordings())
        models.prefetch_related_objects(claimed, runs)
        heard = self._heard_before(claimed) if claimed else {}
        for chunk in claimed:
            chunk.result = heard.get((chunk.cache_key, chunk.workspace_id))
        return claimed

    def _heard_before(self, chunks: Sequence[ChunkTask]) -> dict[tuple[str, UUID], Any]:
        """Return results by cache key and workspace, of those that ``chunks`` have."""
        keys = [chunk.cache_key for chunk in chunks]
        workspaces = [chunk.workspace_id for chunk in chunks]
        with connections[self.db].cursor() as cursor:
            cursor.execute(HEARD_BEFORE, [keys, workspaces])
            return {(key, owner): json.loads(result) for key, owner, result in cursor.fetchall()}

    def _claimed(self, queue_name: str, worker: Worker, limit: int) -> list[ChunkTask]:
        engines = _limits_on(queue_name)
        with transaction.atomic(using=self.db, savepoint=False):
            has_limited_owners = self._has_limited_owners()
            if not engines and not has_limited_owners:
                return super().claim(queue_name=queue_name, worker=worker, limit=limit)
            with connections[self.db].cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LIMITS_LOCK])
            claimed: list[ChunkTask] = []
            count = wanted = 1
            while len(claimed) < limit and count == wanted:
                room = self._room(engines)
                wanted = 1 if has_limited_owners else min([limit - len(claimed), *room.values()])
                allowed = self._of_owners_with_room() if has_limited_owners else self
                allowed = allowed.exclude(engine__in=engines.keys() - room.keys())
                if claimed:
                    allowed = allowed.filter(crash_count=0)  # the others are claimed alone
                rows = WorkQuerySet.claim(
                    allowed, queue_name=queue_name, worker=worker, limit=wanted
                )
                claimed += rows
                count = 0 if any(chunk.crash_count for chunk in rows) else len(rows)
        return claimed

    def _follow(self, works: Sequence[Work]) -> None:
        """Runs in one order for all: no two that settle chunks of many wait for each other."""
        super()._follow(sorted(works, key=attrgetter("processing_id")))

    def _has_limited_owners(self) -> bool:
        with connections[self.db].cursor() as cursor:
            cursor.execute(HAS_LIMITED_OWNERS, [list(ACTIVE)])
            [[found]] = cursor.fetchall()
        return bool(found)

    def _room(self, engines: dict[str, int]) -> dict[str, int]:
        """Return how many more chunks each engine may have, of those that may have any."""
        counts: dict[str, int] = {}
        if engines:
            with connections[self.db].cursor() as cursor:
                cursor.execute(RUNNING, [list(engines)])
                counts = dict(cursor.fetchall())
        room = {name: limit - counts.get(name, 0) for name, limit in engines.items()}
        return {name: count for name, count in room.items() if count > 0}

    def _of_owners_with_room(self) -> Self:
        """Leave out the chunks of runs and workspaces that have as many at once as they may."""
        rows = self
        for owner in ("processing", "workspace"):
            limit = f"{owner}__max_concurrent_chunks"
            counts = self._running().filter(**{f"{limit}__isnull": False}).values(owner)
            full = counts.annotate(count=Count("pk")).filter(count__gte=F(limit)).values(owner)
            rows = rows.exclude(**{f"{owner}__in": full})
        return rows

    def _running(self) -> Self:
        return self._unfiltered().filter(status=JobStatus.PROCESSING).order_by()

    def in_order(self) -> Self:
        return self.order_by("index")

    def completed(self) -> Self:
        return self.filter(status=JobStatus.COMPLETED)

    def failed(self) -> Self:
        return self.filter(status=JobStatus.FAILED)

    def hand_on(self, chunk: ChunkTask, *, engine: str, queue_name: str, cache_key: str) -> bool:
        """Have another engine hear a chunk that failed, with as many attempts as the first."""
        changed = self._unfiltered()._transition(
            "requeue",
            [chunk.pk],
            engine=engine,
            queue_name=queue_name,
            cache_key=cache_key,
            available_at=Now(),
            max_attempts=F("attempt") + DEFAULT_MAX_ATTEMPTS,
            crash_count=0,
            worker=None,
            started_at=None,
            completed_at=None,
        )
        return changed == 1

    def language(self) -> str:
        """Return the language in which most of the chunks' audio was heard, "" for none."""
        samples = Sum(F("core_end_sample") - F("core_start_sample"))
        told = self.completed().exclude(result__language=AUTO)
        heard = told.values("result__language").annotate(samples=samples)
        first = heard.order_by("-samples", "result__language").first()
        return "" if first is None else first["result__language"]

    def work_by_engine(self) -> dict[str, dict[str, Any]]:
        """Return what each engine did here, as ``Engine.objects.record_run`` takes it."""
        samples = Sum(F("end_sample") - F("start_sample"))
        work = self.filter(busy_seconds__isnull=False).order_by().values("engine")
        rows = work.annotate(count=Count("pk"), busy=Sum("busy_seconds"), samples=samples)
        return {
            row["engine"]: {
                "chunk_count": row["count"],
                "audio_seconds": row["samples"] / SAMPLE_RATE,
                "busy_seconds": row["busy"],
            }
            for row in rows
        }


def _limits_on(queue_name: str) -> dict[str, int]:
    """Return the limits of engines whose chunks may be on a queue."""
    return {
        name: limit
        for name, limit in settings.CONCURRENCY_LIMITS.items()
        if name not in settings.PROVIDERS or queue_name == REMOTE_CHUNK_QUEUE
    }


ChunkTaskManager = models.Manager.from_queryset(ChunkTaskQuerySet)
