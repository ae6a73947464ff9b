"""Questions come in, answers with citations go out: whole, or while they are written."""

from __future__ import annotations

import json
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

import django_filters
from django.http import StreamingHttpResponse
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.mixins import DestroyModelMixin
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.viewsets import ReadOnlyModelViewSet

from jobs.api.parsers import ShallowJSONParser
from jobs.api.permissions import MAY_CHANGE
from processing.api.viewsets import FirstRendererNegotiation, user_of
from processing.choices import ResultStatus
from processing.exceptions import AlreadyOver
from processing.knowledge.asking.answers import ask, cancel_question, delete_question
from processing.knowledge.asking.streaming import HEARTBEAT, Event, listen
from processing.models import Question, Workspace

if TYPE_CHECKING:
    from collections.abc import Generator
    from uuid import UUID

    from rest_framework.request import Request
    from rest_framework.serializers import BaseSerializer

    from processing.managers.result import ResultQuerySet

#: So many listeners of a web process are told everything as it comes, each by a thread of its
#: own; the others what there is by now, to come again after ``RETRY_MS``, as browsers do.
LISTENERS = 4
RETRY_MS = 2_000

_places = BoundedSemaphore(LISTENERS)


class AskSerializer(serializers.Serializer[Any]):
    """What ``POST questions/`` takes; what it means is checked by the operation."""

    text = serializers.CharField(allow_blank=True, trim_whitespace=False)
    filters = serializers.DictField(required=False, default=dict)


class QuestionSerializer(serializers.ModelSerializer[Question]):
    """A question and how far its answer is; ``error`` is null unless it failed."""

    error = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()

    class Meta:
        model = Question
        fields = [
            "id",
            "text",
            "filters",
            "status",
            "progress",
            "engine",
            "is_extractive",
            "error",
            "created_at",
            "completed_at",
            "links",
        ]

    def get_error(self, question: Question) -> dict[str, str] | None:
        if not question.error_code:
            return None
        return {"code": question.error_code, "message": question.error_message}

    def get_links(self, question: Question) -> dict[str, str]:
        request, pk = self.context["request"], str(question.pk)
        return {
            "self": reverse("question-detail", [pk], request=request),
            "stream": reverse("question-stream", [pk], request=request),
            "cancel": reverse("question-cancel", [pk], request=request),
        }


class QuestionDetailSerializer(QuestionSerializer):
    """A question with its answer, which is empty until it is whole, and what that rests on."""

    class Meta(QuestionSerializer.Meta):
        fields = [*QuestionSerializer.Meta.fields, "answer", "citations"]


class QuestionFilterSet(django_filters.FilterSet):  # type: ignore[misc]  # it ships no types
    """``search`` is for words of the question; ``status`` may be given several times."""

    status = django_filters.MultipleChoiceFilter(choices=ResultStatus.choices)
    search = django_filters.CharFilter("text", lookup_expr="icontains")
    created_after = django_filters.IsoDateTimeFilter("created_at", lookup_expr="gte")
    created_before = django_filters.IsoDateTimeFilter("created_at", lookup_expr="lt")

    class Meta:
        model = Question
        fields = ["is_extractive"]


class QuestionViewSet(DestroyModelMixin, ReadOnlyModelViewSet[Question]):
    """Ask the documents, and read what they answer."""

    filterset_class = QuestionFilterSet
    sort_fields = ["created_at"]
    parser_classes = [ShallowJSONParser]

    def get_queryset(self) -> ResultQuerySet[Question]:
        questions = Question.objects.in_workspace(Workspace.objects.default())
        return questions.defer("answer", "citations") if self.action == "list" else questions

    def get_serializer_class(self) -> type[BaseSerializer[Question]]:
        return QuestionSerializer if self.action == "list" else QuestionDetailSerializer

    def create(self, request: Request) -> Response:
        """Have ``text`` answered from the documents that ``filters`` leave: 202."""
        asked = AskSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        question = ask(
            workspace=Workspace.objects.default(),
            text=asked.validated_data["text"],
            filters=asked.validated_data["filters"],
            created_by=user_of(request),
        )
        data = self.get_serializer(self.get_queryset().get(pk=question.pk)).data
        headers = {"Location": data["links"]["self"]}
        return Response(data, status=status.HTTP_202_ACCEPTED, headers=headers)

    def perform_destroy(self, instance: Question) -> None:
        delete_question(instance)

    @action(detail=True, methods=["post"], permission_classes=MAY_CHANGE)
    def cancel(self, request: Request, pk: str) -> Response:
        """Have nobody answer it any more; 409 when it is over."""
        question = self.get_object()
        is_cancelled = cancel_question(question)
        question.refresh_from_db()
        if not is_cancelled:
            raise AlreadyOver(f"the question is {question.status} and can no longer be cancelled")
        return Response(self.get_serializer(question).data)

    @action(detail=True, content_negotiation_class=FirstRendererNegotiation)
    def stream(self, request: Request, pk: str) -> StreamingHttpResponse:
        """Tell the answer while it is written, as server-sent events.

        ``delta`` goes on with the text, ``restart`` takes back all of it, and ``done`` has the
        answer as it is; ``failed`` says why there is none. ``Last-Event-ID`` goes on after that.
        """
        question = self.get_object()
        return StreamingHttpResponse(
            server_sent(question.pk, request.headers.get("Last-Event-ID", "")),
            content_type="text/event-stream",
            headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
        )


def server_sent(question_id: UUID, last_event_id: str) -> Generator[str, None, None]:
    """Yield what there is to tell as the HTML standard has it, section 9.2."""
    yield f"retry: {RETRY_MS}\n\n"
    is_following = _places.acquire(blocking=False)
    try:
        for event in listen(question_id, last_event_id=last_event_id, is_following=is_following):
            yield _as_text(event)
    finally:
        if is_following:
            _places.release()


def _as_text(event: Event) -> str:
    if event.name == HEARTBEAT:
        return ":\n\n"
    identifier = f"id: {event.id}\n" if event.id else ""
    return f"{identifier}event: {event.name}\ndata: {json.dumps(dict(event.data))}\n\n"
