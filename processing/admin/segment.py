"""Correcting one segment where it is, without another page: what the text's script asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse

from jobs.presentation import elapsed
from processing.admin.document_verbs import user_of
from processing.admin.outline import outline_of
from processing.admin.transcript_lines import segment_line
from processing.admin.transcript_page import document_of, legend_html
from processing.exceptions import Outdated, ProcessingError
from processing.knowledge.corrections import correct_transcript
from processing.managers.transcript import LATEST_SECONDS
from processing.models import DocumentVersion, Transcript
from processing.workspaces.audit import record_event

if TYPE_CHECKING:
    from processing.admin.scoping import OfWorkspaces


def segment_view(
    model_admin: OfWorkspaces, request: HttpRequest, object_id: Any, index: int
) -> HttpResponse:
    """Correct a segment: ``text``, ``speaker`` or both, of the transcript at ``version``.

    Answers the ``version`` that this made, the segment's new ``line`` (null when it is gone) and
    the ``legend``. 409 when somebody was faster: ``detail`` says who, ``said`` what the segment
    says now and ``version`` what to send to have it changed all the same. 400 for any other
    refusal, with its ``detail``.
    """
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    transcript = model_admin.row_for(request, object_id)
    if not transcript.is_readable:
        raise Http404
    version = request.POST.get("version", "")
    change = {name: request.POST[name] for name in ("text", "speaker") if name in request.POST}
    try:
        document = correct_transcript(
            transcript=transcript,
            changes=[{"segment": index, **change}],
            expected_version=int(version) if version.isdigit() else 0,
            by=user_of(request),
        )
    except Outdated:
        return _conflict(transcript, index, version)
    except ProcessingError as error:
        return JsonResponse({"detail": f"Nothing was changed: {error}."}, status=400)
    _record(request, transcript, index, document.version)
    outline = outline_of(transcript)
    is_gone = change.get("text") is not None and not change["text"].strip()
    return JsonResponse(
        {
            "version": document.version,
            "line": None if is_gone else _line(transcript, index),
            "legend": legend_html(outline),
        }
    )


def _line(transcript: Transcript, index: int) -> str | None:
    """Return a segment as its page has it, with the seams since the segment before."""
    first = max(index - 1, 0)
    found = Transcript.objects.part(
        transcript.pk, segments=(first, index + 1), seconds=(0.0, LATEST_SECONDS)
    )
    *before, segment = found["segments"]
    after = before[0]["end"] if before else -1.0
    seams = [seam for seam in found["seams"] if after < seam["at"] <= segment["end"]]
    return segment_line(index, segment, seams)


def _conflict(transcript: Transcript, index: int, version: str) -> JsonResponse:
    """Say who has changed what meanwhile."""
    document = document_of(transcript)
    found = Transcript.objects.part(transcript.pk, segments=(index, index + 1), seconds=(0.0, 0.0))
    segment = next(iter(found["segments"]), None)
    current = document.version if document else 1
    latest = DocumentVersion.objects.filter(document=document, number=current - 1)
    row = latest.select_related("replaced_by").defer("text", "segments", "gaps").first()
    who = row.replaced_by.get_username() if row and row.replaced_by else "Somebody"
    when = f" {elapsed(row.replaced_at, None)} ago" if row else ""
    return JsonResponse(
        {
            "detail": f"{who} changed this transcript{when}: it is at version {current} by now.",
            "version": current,
            "said": segment["text"] if segment else None,
            "start": segment["start"] if segment else None,
        },
        status=409,
    )


def _record(request: HttpRequest, transcript: Transcript, index: int, version: int) -> None:
    record_event(
        action="admin.transcript.correct",
        object_type="transcript",
        object_id=str(transcript.pk),
        workspace=transcript.recording.workspace,
        actor=user_of(request),
        details={"segment": index, "version": version},
    )
