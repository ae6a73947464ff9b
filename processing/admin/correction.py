"""The page on which staff correct what an engine has heard."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from processing.admin.document_verbs import user_of
from processing.admin.scoping import OfWorkspaces
from processing.exceptions import ProcessingError
from processing.knowledge.corrections import correct_transcript
from processing.models import Transcript
from processing.services.progress import clock

#: Segments on one page: they are sent together.
SEGMENTS_PER_PAGE = 100


def correction_view(
    model_admin: OfWorkspaces, request: HttpRequest, object_id: Any
) -> HttpResponse:
    """Show the segments as fields, and take what was changed in them.

    What somebody else has corrected meanwhile is not overwritten: the page is shown again, with
    what was typed.
    """
    transcript = model_admin.row_for(request, object_id)
    if not transcript.is_readable:
        raise Http404
    typed: dict[int, str] = {}
    if request.method == "POST":
        typed = _typed(request)
        try:
            return _corrected(model_admin, request, transcript, typed)
        except ProcessingError as error:
            model_admin.message_user(request, f"Nothing was changed: {error}.", messages.WARNING)
    return _page(model_admin, request, transcript, typed)


def _corrected(
    model_admin: OfWorkspaces,
    request: HttpRequest,
    transcript: Transcript,
    typed: dict[int, str],
) -> HttpResponse:
    segments = transcript.segments
    changes = [
        {"segment": index, "text": text}
        for index, text in typed.items()
        if index < len(segments) and text != segments[index]["text"]
    ]
    version = request.POST.get("version", "")
    document = correct_transcript(
        transcript=transcript,
        changes=changes,
        expected_version=int(version) if version.isdigit() else 0,
        note=request.POST.get("note", "")[:255],
        by=user_of(request),
    )
    count = len(changes)
    what = "1 segment was" if count == 1 else f"{count} segments were"
    model_admin.message_user(
        request, f"{what} corrected; this is version {document.version}.", messages.SUCCESS
    )
    page = request.POST.get("page", "1")
    address = reverse("admin:processing_transcript_correct", args=[transcript.pk])
    return redirect(f"{address}?page={page if page.isdigit() else 1}")


def _page(
    model_admin: OfWorkspaces,
    request: HttpRequest,
    transcript: Transcript,
    typed: dict[int, str],
) -> HttpResponse:
    rows = [
        {
            "index": index,
            "time": clock(segment["start"]),
            "speaker": segment.get("speaker", ""),
            "text": typed.get(index, segment["text"]),
            "is_doubtful": bool(segment.get("flags")),
        }
        for index, segment in enumerate(transcript.segments)
    ]
    asked = request.POST.get("page") or request.GET.get("page")
    context = {
        **model_admin.admin_site.each_context(request),
        "title": f"Correct {transcript.recording}",
        "opts": model_admin.opts,
        "transcript": transcript,
        "version": getattr(getattr(transcript, "document", None), "version", 1),
        "page": Paginator(rows, SEGMENTS_PER_PAGE).get_page(asked),
        "media": model_admin.media,
    }
    template = "admin/processing/transcript/correct.html"
    return TemplateResponse(request, template, context)


def _typed(request: HttpRequest) -> dict[int, str]:
    """Return what the fields of the page contain, by the number of their segment."""
    return {
        int(name.removeprefix("segment-")): str(value).strip()
        for name, value in request.POST.items()
        if name.startswith("segment-") and name.removeprefix("segment-").isdigit()
    }
