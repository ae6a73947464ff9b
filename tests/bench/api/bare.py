"""What anybody would write by hand in place of ours: the same rows, the same JSON, no more.

No login, no limits, no filters, no pages to choose: what is selected, and dictionaries.
"""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, JsonResponse
from django.urls import include, path

from config.urls import urlpatterns as ours
from jobs.api.totals import total_of
from processing.models import Recording, Transcript

SIZE = 20


def recordings(request: HttpRequest, workspace_id: UUID) -> JsonResponse:
    api = f"http://{request.get_host()}/api/v1/"
    chosen = Recording.objects.filter(workspace_id=workspace_id).with_transcripts()
    rows = list(chosen.order_by("-created_at", "-id")[: SIZE + 1])
    total = total_of(chosen)
    return JsonResponse(
        {
            "items": [recording_as_dict(row, api) for row in rows[:SIZE]],
            "page": 1,
            "size": SIZE,
            "total": total.count,
            "total_is_estimate": total.is_estimate,
            "total_pages": -(-total.count // SIZE),
            "has_next": len(rows) > SIZE,
            "has_previous": False,
        }
    )


def recording(request: HttpRequest, workspace_id: UUID, pk: UUID) -> JsonResponse:
    api = f"http://{request.get_host()}/api/v1/"
    chosen = Recording.objects.filter(workspace_id=workspace_id).with_transcripts()
    return JsonResponse(recording_as_dict(chosen.get(pk=pk), api))


def recording_as_dict(row: Recording, api: str) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "name": row.name,
        "sha256": row.sha256,
        "size_bytes": row.size_bytes,
        "container": row.container,
        "codec": row.codec,
        "sample_rate": row.sample_rate,
        "channels": row.channels,
        "duration_seconds": row.duration_seconds,
        "created_at": row.created_at.isoformat().replace("+00:00", "Z"),
        "transcripts": [transcript_as_dict(each, api) for each in row.transcripts.all()],
        "links": {"self": f"{api}recordings/{row.pk}/"},
    }


def transcript_as_dict(row: Transcript, api: str) -> dict[str, Any]:
    address = f"{api}transcripts/{row.pk}/"
    links = {"self": address, "recording": f"{api}recordings/{row.recording_id}/"}
    for name in ("export", "partial", "events", "cancel", "retry"):
        links[name] = f"{address}{name}/"
    return {
        "id": str(row.pk),
        "engine": row.engine,
        "language": row.language,
        "status": row.processings.all()[0].status,
        "links": links,
    }


urlpatterns = [
    path(
        "bare/<uuid:workspace_id>/",
        include([path("", recordings), path("<uuid:pk>/", recording)]),
    ),
    *ours,
]
