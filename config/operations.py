"""What operations take and answer, where their view sets do not say it themselves.

An operation is named by its route and its action. What is said here goes into the schema.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from caching.api.serializers import InvalidationSerializer, WarmingSerializer
from jobs.api.serializers import (
    BulkRequestSerializer,
    JobDetailSerializer,
    StatisticsRequestSerializer,
)
from processing.api.corrections import CorrectionSerializer, RevertSerializer
from processing.api.document_serializers import (
    ChangeSerializer,
    DocumentSerializer,
    DocumentUploadSerializer,
    RelatedRequestSerializer,
    RelatedSerializer,
    SliceSerializer,
    TopicSerializer,
)
from processing.api.engines import EngineReportSerializer
from processing.api.questions import AskSerializer, QuestionDetailSerializer
from processing.api.search import AskedSerializer, HitSerializer
from processing.api.serializers import (
    PartialTranscriptSerializer,
    RecordingSerializer,
    SubmissionSerializer,
    TranscriptDetailSerializer,
    TranscriptRequestSerializer,
    TranscriptSerializer,
    UploadSerializer,
)
from processing.api.summaries import (
    SummaryDetailSerializer,
    SummaryRequestSerializer,
    SummarySerializer,
)
from processing.api.translations import TranslationRequestSerializer, TranslationSerializer
from processing.api.webhook_serializers import (
    WebhookDeliveryDetailSerializer,
    WebhookRequestSerializer,
    WebhookSecretSerializer,
    WebhookSerializer,
)
from processing.api.workspace_serializers import (
    ApiKeyRequestSerializer,
    ApiKeySerializer,
    MemberRequestSerializer,
    MemberSerializer,
    RoleSerializer,
    RotationSerializer,
    WorkspaceChangeSerializer,
    WorkspaceSerializer,
)
from processing.services.exports import FORMATS

if TYPE_CHECKING:
    from collections.abc import Mapping

#: An operation that takes no body, or whose answer has none.
NOTHING = None

ANYTHING: dict[str, Any] = {"type": "object", "additionalProperties": {}}
STRING, COUNT, FLAG = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}


@dataclass(frozen=True)
class Operation:
    """``answers`` are by status; an answer is a serializer, a schema, or NOTHING.

    ``takes`` is the serializer of the body, ``asks`` are the parameters of the query.
    ``media_types`` are those of an answer that is no JSON.
    """

    answers: Mapping[int, Any]
    takes: Any = NOTHING
    asks: tuple[Any, ...] = ()
    media_types: tuple[str, ...] = field(default=())


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _list_of(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _asked(name: str, *, choices: Any = None, text: str = "", many: bool = False) -> Any:
    enum = None if choices is None else list(choices)
    return OpenApiParameter(name, OpenApiTypes.STR, description=text, enum=enum, many=many)


#: The body of a file; nobody can say of a text what is in it.
TEXT = {200: OpenApiTypes.STR}
EVENTS = ("text/event-stream",)
#: One of the events of a stream; ``data`` is JSON.
EVENT = {
    200: {"type": "object", "properties": {"event": STRING, "data": STRING, "id": STRING}},
}
SOUNDS = ("audio/wav", "audio/mpeg", "audio/flac", "audio/ogg", "audio/mp4", "audio/webm")
OF_EXPORT = tuple({kind.partition(";")[0]: None for kind, _ in FORMATS.values()})

CORRECTED = _object(
    transcript=STRING | {"format": "uuid"},
    document=STRING | {"format": "uuid"},
    version=COUNT,
    links={"type": "object", "additionalProperties": STRING},
)
REPORT = _object(
    enqueued=COUNT,
    existing=COUNT,
    refused=COUNT,
    jobs=_list_of(
        {
            "type": "object",
            "properties": {
                "id": {"type": ["string", "null"]},
                "status": STRING | {"enum": ["enqueued", "existing", "refused"]},
                "code": STRING,
                "message": STRING,
            },
            "required": ["id", "status"],
        }
    ),
)

OPERATIONS: dict[str, Operation] = {
    "recording.create": Operation(
        {200: SubmissionSerializer, 201: SubmissionSerializer}, takes=UploadSerializer
    ),
    "recording.audio": Operation(
        {200: OpenApiTypes.BINARY, 206: OpenApiTypes.BINARY}, media_types=SOUNDS
    ),
    "recording.partial_update": Operation({200: RecordingSerializer}, takes=RecordingSerializer),
    "transcript.create": Operation(
        {200: TranscriptSerializer, 202: TranscriptSerializer}, takes=TranscriptRequestSerializer
    ),
    "transcript.retrieve": Operation(
        {200: TranscriptDetailSerializer},
        asks=(_asked("include", choices=["seams"], text="What else to answer.", many=True),),
    ),
    "transcript.partial": Operation({200: PartialTranscriptSerializer}),
    "transcript.export": Operation(
        TEXT,
        asks=(
            _asked("format", choices=FORMATS),
            _asked("gaps", choices=["omit", "mark"], text="What becomes of gaps in a text."),
        ),
        media_types=OF_EXPORT,
    ),
    "transcript.cancel": Operation({200: TranscriptSerializer}),
    "transcript.retry": Operation({200: TranscriptSerializer}),
    "transcript.events": Operation(EVENT, media_types=EVENTS),
    "transcript-correction.create": Operation({200: CORRECTED}, takes=CorrectionSerializer),
    "transcript-version.restore": Operation({200: CORRECTED}, takes=RevertSerializer),
    "document.create": Operation(
        {200: DocumentSerializer, 201: DocumentSerializer}, takes=DocumentUploadSerializer
    ),
    "document.partial_update": Operation({200: DocumentSerializer}, takes=ChangeSerializer),
    "document.text": Operation(TEXT, media_types=("text/plain",)),
    "document.sections": Operation(
        {
            200: _object(
                items=_list_of(ANYTHING),
                has_more=FLAG,
                limit=COUNT,
                offset=COUNT,
            )
        },
        asks=(SliceSerializer,),
    ),
    "document.related": Operation(
        {
            200: _object(
                items=_list_of(RelatedSerializer.schema),
                total=COUNT,
                has_more=FLAG,
                limit=COUNT,
                offset=COUNT,
                depth=COUNT,
            )
        },
        asks=(RelatedRequestSerializer,),
    ),
    "document.relation": Operation({204: NOTHING}),
    "document.topic": Operation({200: DocumentSerializer}),
    "document-summary.create": Operation(
        {200: SummarySerializer, 202: SummarySerializer}, takes=SummaryRequestSerializer
    ),
    "document-translation.create": Operation(
        {200: TranslationSerializer, 202: TranslationSerializer},
        takes=TranslationRequestSerializer,
    ),
    "topic.create": Operation({201: TopicSerializer}, takes=TopicSerializer),
    "summary.cancel": Operation({200: SummaryDetailSerializer}),
    "summary.retry": Operation({200: SummaryDetailSerializer}),
    "translation.cancel": Operation({200: TranslationSerializer}),
    "translation.retry": Operation({200: TranslationSerializer}),
    "translation.export": Operation(
        TEXT, asks=(_asked("format", choices=FORMATS),), media_types=OF_EXPORT
    ),
    "search.list": Operation(
        {
            200: _object(
                items=_list_of(HitSerializer.schema),
                total=COUNT,
                is_total_exact=FLAG,
                has_more=FLAG,
                mode=STRING,
                limit=COUNT,
                offset=COUNT,
            )
        },
        asks=(AskedSerializer,),
    ),
    "question.create": Operation({202: QuestionDetailSerializer}, takes=AskSerializer),
    "question.cancel": Operation({200: QuestionDetailSerializer}),
    "question.stream": Operation(EVENT, media_types=EVENTS),
    "webhook.create": Operation({201: WebhookSecretSerializer}, takes=WebhookRequestSerializer),
    "webhook.partial_update": Operation({200: WebhookSerializer}, takes=WebhookRequestSerializer),
    "webhook.rotate_secret": Operation({200: WebhookSecretSerializer}),
    "webhook.ping": Operation({202: WebhookDeliveryDetailSerializer}),
    "webhook.pause": Operation({200: WebhookSerializer}),
    "webhook.resume": Operation({200: WebhookSerializer}),
    "webhook-delivery.resend": Operation({202: WebhookDeliveryDetailSerializer}),
    "workspace.create": Operation({201: WorkspaceSerializer}, takes=WorkspaceSerializer),
    "workspace.partial_update": Operation(
        {200: WorkspaceSerializer}, takes=WorkspaceChangeSerializer
    ),
    "workspace.usage": Operation({200: ANYTHING}),
    "member.create": Operation({201: MemberSerializer}, takes=MemberRequestSerializer),
    "member.partial_update": Operation({200: MemberSerializer}, takes=RoleSerializer),
    "api-key.create": Operation({201: ApiKeySerializer}, takes=ApiKeyRequestSerializer),
    "api-key.rotate": Operation({201: ApiKeySerializer}, takes=RotationSerializer),
    "api-key.revoke": Operation({200: ApiKeySerializer}),
    "engine.list": Operation(
        {200: _object(items=_list_of(EngineReportSerializer.schema), total=COUNT)}
    ),
    "engine.retrieve": Operation({200: EngineReportSerializer}),
    "job.stats": Operation(
        {200: _object(window_seconds={"type": "number"}, queues=_list_of(ANYTHING))},
        asks=(StatisticsRequestSerializer,),
    ),
    "job.bulk": Operation({201: REPORT}, takes=BulkRequestSerializer),
    "job.cancel": Operation({200: JobDetailSerializer}),
    "job.retry": Operation({200: JobDetailSerializer}),
    "job.position": Operation(
        {
            200: _object(
                id=STRING | {"format": "uuid"},
                status=STRING,
                queue_name=STRING,
                position={"type": ["integer", "null"]},
                worker={"type": ["object", "null"]},
                reason={"type": ["object", "null"]},
            )
        }
    ),
    "cache.stats": Operation({200: ANYTHING}),
    "cache.invalidate": Operation({200: ANYTHING}, takes=InvalidationSerializer),
    "cache.warm": Operation({200: ANYTHING}, takes=WarmingSerializer),
}
