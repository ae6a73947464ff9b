"""Hearing a recording in the admin: its sound, its shape, and the player beside its words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Exists, OuterRef
from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_safe

from caching.backend import get_cache
from caching.invalidation import tags_of
from processing.admin.marks import doubts_in, marks_of_segment
from processing.admin.scoping import OfWorkspaces
from processing.models import ChunkTask, ProcessingTask, Recording, Transcript
from processing.playing import sound_answer
from processing.services.progress import clock
from processing.services.waveform import waveform

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from django.http.response import HttpResponseBase

#: The shape is drawn in a box of this size: bars and marks are as fine as a thousandth.
WIDTH, HEIGHT = 1_000, 100

#: How long the tick of a mark is.
TICK = 16

#: How long the shape of a run that is over is kept.
KEPT_SECONDS = 86_400.0

#: What the player can do with the keyboard.
SHORTCUTS = (
    ("Space", "play, pause"),
    ("← →", "5 s back, on"),
    ("Shift ← →", "the segment before, after"),
)
SPEEDS = ("0.75", "1", "1.25", "1.5", "1.75", "2")


class PlayedAdmin(OfWorkspaces):
    """Recordings that can be heard, by whoever may look at them."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_safe(self.audio_view), cacheable=True)
        name = "processing_recording_audio"
        return [path("<uuid:object_id>/audio/", view, name=name), *super().get_urls()]

    def audio_view(self, request: HttpRequest, object_id: Any) -> HttpResponseBase:
        """Send the sound of a recording, or a part of it."""
        return sound_answer(request, self.row_for(request, object_id, "view"))


@require_safe
def waveform_view(
    request: HttpRequest, object_id: Any, *, transcripts: OfWorkspaces
) -> JsonResponse:
    """Answer the shape of a transcript's recording: for a page that sees it grow."""
    transcript = transcripts.row_for(request, object_id, "view")
    run = _cut_run(transcript)
    return JsonResponse(
        {"path": shape_of(run), "seconds": _seconds(transcript, run), "is_over": _is_over(run)},
        headers={"Cache-Control": "private, no-cache"},
    )


def player_context(transcript: Transcript) -> dict[str, Any]:
    """Return what ``admin/processing/transcript/player.html`` shows: as ``player``.

    ``seconds`` is how long the recording is, None where nobody knows yet.
    """
    run = _cut_run(transcript)
    seconds = _seconds(transcript, run)
    return {
        "audio_url": reverse("admin:processing_recording_audio", args=[transcript.recording_id]),
        "waveform_url": reverse("admin:processing_transcript_waveform", args=[transcript.pk]),
        "name": transcript.recording.name,
        "seconds": seconds,
        "length": "" if seconds is None else clock(seconds),
        "is_over": _is_over(run),
        "shape": shape_of(run),
        "marks": marks_on(transcript, seconds) if seconds else [],
        "speeds": SPEEDS,
        "shortcuts": SHORTCUTS,
    }


def shape_of(run: ProcessingTask | None) -> str:
    """Return the outline of a run's waveform as an SVG path; "" while there is none."""
    if run is None:
        return ""
    if run.is_active:
        return _outline(waveform(run, bars=WIDTH))
    return str(
        get_cache().get_or_set(
            f"waveform:{run.pk}",
            lambda: _outline(waveform(run, bars=WIDTH)),
            KEPT_SECONDS,
            tags=_tags(run.transcript),
        )
    )


def _outline(heights: Sequence[int]) -> str:
    """Return a line along the tops of the bars and back along their mirror images."""
    if not heights:
        return ""
    step, middle = WIDTH / len(heights), HEIGHT / 2
    tops = [(step * (i + 0.5), max(height, 2) / 2) for i, height in enumerate(heights)]
    upper = [f"{x:g} {middle - top:g}" for x, top in tops]
    lower = [f"{x:g} {middle + top:g}" for x, top in reversed(tops)]
    return f"M{'L'.join([f'0 {middle:g}', *upper, f'{WIDTH} {middle:g}', *lower])}Z"


def marks_on(transcript: Transcript, seconds: float) -> Sequence[dict[str, Any]]:
    """Return what is marked on the waveform: of each kind a name, a count, and an SVG path.

    The transcript is read once for them, and not again until it is another.
    """
    if not transcript.is_readable:
        return []
    marks: Sequence[dict[str, Any]] = get_cache().get_or_set(
        f"waveform-marks:{transcript.pk}",
        lambda: _marks(transcript, seconds),
        KEPT_SECONDS,
        tags=_tags(transcript),
    )
    return marks


def _marks(transcript: Transcript, seconds: float) -> list[dict[str, Any]]:
    content = Transcript.objects.only("segments", "gaps", "seams").get(pk=transcript.pk)
    doubted = [row["start"] for row in content.segments if doubts_in(marks_of_segment(row))]
    seams = [row["at"] for row in content.seams]
    gaps = [(row["start"], row["end"]) for row in content.gaps]
    marks = [
        ("gap", "gap", len(gaps), _bands(gaps, seconds)),
        ("seam", "seam", len(seams), _ticks(seams, seconds, begin=HEIGHT, end=HEIGHT - TICK)),
        ("doubt", "doubtful segment", len(doubted), _ticks(doubted, seconds, begin=0, end=TICK)),
    ]
    return [
        {"kind": kind, "name": name, "count": count, "path": drawn}
        for kind, name, count, drawn in marks
        if count
    ]


def _tags(transcript: Transcript) -> tuple[str, ...]:
    return tags_of(
        transcript=transcript.pk,
        recording=transcript.recording_id,
        workspace=transcript.workspace_id,
    )


def _ticks(times: Iterable[float], seconds: float, *, begin: int, end: int) -> str:
    places = sorted({_place(time, seconds) for time in times})
    return "".join(f"M{x} {begin}V{end}" for x in places)


def _bands(spans: Iterable[tuple[float, float]], seconds: float) -> str:
    places = {(_place(start, seconds), _place(end, seconds)) for start, end in spans}
    return "".join(f"M{x} 0H{max(end, x + 2)}V{HEIGHT}H{x}Z" for x, end in sorted(places))


def _place(time: float, seconds: float) -> int:
    return round(min(max(time / seconds, 0.0), 1.0) * WIDTH)


def _cut_run(transcript: Transcript) -> ProcessingTask | None:
    """Return the latest run of which there is anything to draw."""
    chunks = ChunkTask.objects.filter(processing=OuterRef("pk")).order_by()
    runs = ProcessingTask.objects.for_transcript(transcript).filter(Exists(chunks))
    return runs.with_recordings().first()


def _is_over(run: ProcessingTask | None) -> bool:
    return run is not None and not run.is_active


def _seconds(transcript: Transcript, run: ProcessingTask | None) -> float | None:
    """Return how long the recording is: as counted, or else as declared."""
    recording: Recording = transcript.recording
    if run is None or not run.total_seconds:
        return recording.duration_seconds
    return run.total_seconds / (recording.channels if run.has_separate_channels else 1)
