"""Chunks in the admin."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from jobs.admin import WORK_FIELDSETS, WorkAdmin
from jobs.presentation import NOTHING, link_to
from processing.admin.presentation import shown_name
from processing.models import ChunkTask
from processing.services.hearing import text_of
from processing.services.progress import clock


@admin.register(ChunkTask)
class ChunkTaskAdmin(WorkAdmin):
    list_display = (
        "place",
        "recording",
        "engine",
        "badge",
        "attempts",
        "duration",
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

    def get_queryset(self, request: HttpRequest) -> QuerySet[ChunkTask]:
        return ChunkTask.objects.without_content().with_recordings().select_related("worker")

    @admin.display(description="chunk", ordering="index")
    def place(self, chunk: ChunkTask) -> str:
        return f"{chunk.index}: {clock(chunk.start_seconds)} to {clock(chunk.end_seconds)}"

    @admin.display(description="recording")
    def recording(self, chunk: ChunkTask) -> str:
        return shown_name(chunk.processing.transcript.recording)

    @admin.display(description="run")
    def run(self, chunk: ChunkTask) -> SafeString:
        return link_to(chunk.processing)

    @admin.display(description="heard")
    def heard(self, chunk: ChunkTask) -> str:
        return text_of(chunk.result) or NOTHING if chunk.result else NOTHING
