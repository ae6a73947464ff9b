"""Chunks in the admin."""

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.safestring import SafeString

from jobs.admin import WORK_FIELDSETS, WorkAdmin
from jobs.presentation import NOTHING, link_to
from processing.admin.presentation import shown_name
from processing.admin.scoping import OfWorkspaces
from processing.engines.base import SAMPLE_RATE
from processing.models import ChunkTask
from processing.services.hearing import text_of
from processing.services.progress import clock


@admin.register(ChunkTask)
class ChunkTaskAdmin(OfWorkspaces, WorkAdmin):
    list_display = (
        "place",
        "recording",
        "engine",
        "badge",
        "attempts",
        "duration",
        "speed",
        "worker",
        "error",
    )
    list_filter = ("status", "engine", "is_reused")
    search_fields = ("processing__transcript__recording__name", "=id", "=processing__id")
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
        return ChunkTask.objects.without_content().with_recordings().select_related("worker")

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
        seconds = (chunk.end_sample - chunk.start_sample) / SAMPLE_RATE
        return f"{seconds / chunk.busy_seconds:.1f}x" if chunk.busy_seconds else NOTHING

    @admin.display(description="run")
    def run(self, chunk: ChunkTask) -> SafeString:
        return link_to(chunk.processing)

    @admin.display(description="heard")
    def heard(self, chunk: ChunkTask) -> str:
        return text_of(chunk.result) or NOTHING if chunk.result else NOTHING
