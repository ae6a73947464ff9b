"""``manage.py reindex``: have the index say what the documents say."""

import sys
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser
from tqdm import tqdm

from jobs.choices import JobStatus
from jobs.management.terminal import FAILED, USAGE, OperatorCommand, interruptible
from jobs.models import Job
from processing.knowledge.searching.embeddings import prepare_semantic_search
from processing.knowledge.searching.indexing import is_indexed
from processing.knowledge.searching.reindexing import enqueue_indexing, follow_older, indexable
from processing.management.migrating import ensure_migrated
from processing.managers.document import DocumentQuerySet
from processing.models import Document, Transcript, Workspace

#: Documents that are in memory with what they say, and enqueued in one transaction.
BATCH_SIZE = 100

#: How often to see whether the jobs are done.
CHECK_SECONDS = 0.5


class Command(OperatorCommand):
    help = (
        "Put documents into the index that have changed since they were, or for which the index "
        "itself has: workers do it. Documents that have not changed are left alone. "
        "Exit status: 0 done, 1 some failed, 2 wrong usage, 130 interrupted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("documents", nargs="*", type=UUID, metavar="DOCUMENT_ID")
        parser.add_argument("--all", action="store_true", help="all documents")
        parser.add_argument("--workspace", metavar="SLUG", help="all documents of a workspace")
        parser.add_argument("--dry-run", action="store_true", help="count them and do nothing")
        parser.add_argument("--wait", action="store_true", help="until the workers are done")

    def handle(self, *args: Any, **options: Any) -> None:
        ensure_migrated()
        documents = self._chosen(options)
        if not options["dry_run"]:
            prepare_semantic_search()
        if not options["documents"]:
            self._follow_older(options)
        job_ids: list[UUID] = []
        seen = changed = 0
        with interruptible() as check, self._progress(documents.count(), "Looking") as bar:
            for batch in _batches(documents):
                stale = [document for document in batch if not is_indexed(document)]
                seen, changed = seen + len(batch), changed + len(stale)
                if not options["dry_run"]:
                    job_ids += enqueue_indexing(stale)
                bar.update(len(batch))
                check()
        verb = "Would index" if options["dry_run"] else "Indexing"
        self.stdout.write(f"{verb} {changed} of {seen} documents.")
        if options["wait"] and job_ids:
            self._wait(job_ids)

    def _chosen(self, options: dict[str, Any]) -> DocumentQuerySet:
        if bool(options["documents"]) == bool(options["all"] or options["workspace"]):
            raise CommandError("name documents, or --all, or a --workspace", returncode=USAGE)
        documents = indexable().order_by("pk")
        if options["documents"]:
            documents = documents.filter(pk__in=options["documents"])
            if missing := {*options["documents"]} - {*documents.values_list("pk", flat=True)}:
                names = ", ".join(sorted(map(str, missing)))
                raise CommandError(f"no document to index: {names}", returncode=USAGE)
        if options["workspace"]:
            workspace = Workspace.objects.filter(slug=options["workspace"]).first()
            if workspace is None:
                known = ", ".join(Workspace.objects.values_list("slug", flat=True))
                raise CommandError(
                    f"no workspace {options['workspace']!r}; known: {known}", returncode=USAGE
                )
            documents = documents.in_workspace(workspace)
        return documents

    def _follow_older(self, options: dict[str, Any]) -> None:
        """Make documents of transcripts from before there were any."""
        transcripts = Transcript.objects.all()
        if options["workspace"]:
            transcripts = transcripts.filter(recording__workspace__slug=options["workspace"])
        if options["dry_run"]:
            if count := transcripts.without_document().count():
                self.stdout.write(f"Would make {count} documents of older transcripts.")
        elif count := follow_older(transcripts):
            self.stdout.write(f"Made {count} documents of older transcripts.")

    def _wait(self, job_ids: list[UUID]) -> None:
        with self._progress(len(job_ids), "Indexing") as bar:
            while active := Job.objects.active().filter(pk__in=job_ids).count():
                bar.n = len(job_ids) - active
                bar.refresh()
                time.sleep(CHECK_SECONDS)
        failed = Job.objects.filter(pk__in=job_ids, status=JobStatus.FAILED).count()
        self.stdout.write(f"Indexed {len(job_ids) - failed}.")
        if failed:
            raise CommandError(f"{failed} documents could not be indexed", returncode=FAILED)

    def _progress(self, total: int, what: str) -> "tqdm[None]":
        return tqdm(
            total=total,
            desc=what,
            unit="document",
            file=sys.stderr,
            disable=not sys.stderr.isatty(),
            leave=False,
        )


def _batches(documents: DocumentQuerySet) -> Iterator[list[Document]]:
    """Yield all of them in the order of their ids; no cursor holds what they say meanwhile."""
    batch = list(documents[:BATCH_SIZE])
    while batch:
        yield batch
        batch = list(documents.filter(pk__gt=batch[-1].pk)[:BATCH_SIZE])
