"""Chunks in the admin."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.admin import WORK_FIELDSETS, WorkAdmin
from jobs.choices import JobStatus
from jobs.lists import CreatedFilter, NewestValues
from jobs.presentation import NOTHING
from processing.admin.named import OF_NEWEST_NAMED, runs_named
from processing.admin.presentation import shown_name
from processing.admin.scoping import OfWorkspaces, WorkspaceFilter
from processing.engines.base import SAMPLE_RATE
from processing.models import ChunkTask
from processing.services.hearing import text_of
from processing.services.progress import clock

#: How the page of a run asks for its chunks.
OF_RUN = "processing__id__exact"


def speed_of(chunk: ChunkTask) -> float | None:
    """Return how many seconds of audio were heard in one; None where nobody was asked."""
    seconds = (chunk.end_sample - chunk.start_sample) / SAMPLE_RATE
    return seconds / chunk.busy_seconds if chunk.busy_seconds else None


class StatusFilter(admin.ChoicesFieldListFilter):
    """By status: an index has each that a chunk may have, but that of most. None is blocked."""

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        blocked = JobStatus.BLOCKED.label
        return (each for each in super().choices(changelist) if each["display"] != blocked)


@admin.register(ChunkTask)
class ChunkTaskAdmin(OfWorkspaces, WorkAdmin):
    list_display = (
        "place",
        "recording",
        "run",
        "engine",
        "badge",
        "attempts",
        "age",
        "duration",
        "speed",
        "worker_link",
        "workspace_link",
        "error",
    )
    list_filter = (
        WorkspaceFilter,
        ("status", StatusFilter),
        CreatedFilter,
        ("engine", NewestValues),
        ("is_reused", NewestValues),
    )
    in_order_of_ids = True  # newest first: an index has those of a run in their order
    found_by = ("processing",)
    empty_text = "No chunks yet: upload a recording, which is cut into some."
    search_fields = ("processing__transcript__recording__name",)
    search_help_text = f"An id, that of a run, or words of a recording's name {OF_NEWEST_NAMED}"
    sortable_by = ()
    plain_values = {
        **WorkAdmin.plain_values,
        "recording": "processing__transcript__recording__name",
        "run": "processing",
        "speed": lambda chunk: speed_of(chunk),
        "workspace_link": "workspace",
    }
    fieldsets = [
        (None, {"fields": ["id", "place", "badge", "run", "heard", "is_reused"]}),
        (
            "Audio",
            {
                "fields": [
                    "audio",
                    "channel",
                    "engine",
                    "busy_seconds",
                    "speed",
                    "cache_key",
                    "start_sample",
                    "core_start_sample",
                    "core_end_sample",
                    "end_sample",
                ]
            },
        ),
        *WORK_FIELDSETS,
    ]

    def rows(self) -> QuerySet[ChunkTask]:
        chunks = ChunkTask.objects.without_content().with_recordings()
        return chunks.select_related("worker", "workspace")

    def get_ordering(self, request: HttpRequest) -> Any:
        """Return the order of a run's chunks where they are asked for, else the newest first."""
        is_of_run = OF_RUN in request.GET
        return ("index",) if is_of_run else super().get_ordering(request)

    def with_words(
        self, request: HttpRequest, rows: QuerySet[Any], words: str
    ) -> tuple[QuerySet[Any], bool]:
        return rows.filter(processing__in=runs_named(request, words)), False

    @admin.display(description="chunk", ordering="index")
    def place(self, chunk: ChunkTask) -> str:
        """Which it is, when it is, and of which channel where each is heard by itself."""
        times = f"{clock(chunk.start_seconds)} to {clock(chunk.end_seconds)}"
        channel = "" if chunk.channel is None else f", channel {chunk.channel + 1}"
        return f"{chunk.index}: {times}{channel}"

    @admin.display(description="recording")
    def recording(self, chunk: ChunkTask) -> str:
        return shown_name(chunk.processing.transcript.recording)

    @admin.display(description="speed")
    def speed(self, chunk: ChunkTask) -> str:
        """How many seconds of audio its engine heard in one, where it was asked."""
        speed = speed_of(chunk)
        return f"{speed:.1f}x" if speed else NOTHING

    @admin.display(description="run")
    def run(self, chunk: ChunkTask) -> SafeString:
        address = reverse("admin:processing_processingtask_change", args=[chunk.processing_id])
        return format_html('<a href="{}">{}</a>', address, chunk.processing.status)

    @admin.display(description="heard")
    def heard(self, chunk: ChunkTask) -> str:
        return text_of(chunk.result) or NOTHING if chunk.result else NOTHING
