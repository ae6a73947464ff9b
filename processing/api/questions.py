"""Questions come in, answers with citations go out: whole, or while they are written."""

from __future__ import annotations

from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any, ClassVar

from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.mixins import DestroyModelMixin
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from jobs.api.fields import TextField
from jobs.api.parsers import ShallowJSONParser
from processing.api.access import user_of
from processing.api.filtersets import QuestionFilterSet
from processing.api.idempotency import idempotent
from processing.api.negotiation import FirstRendererNegotiation
from processing.api.results import CancelMixin, ResultSerializer
from processing.api.server_sent import EventStream, answer
from processing.knowledge.asking.answers import ask, cancel_question, delete_question
from processing.knowledge.asking.streaming import listen
from processing.models import Question

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request
    from rest_framework.serializers import BaseSerializer

    from processing.managers.result import ResultQuerySet

#: So many listeners of a web process are told everything as it comes, each by a thread of its
#: own; the others what there is by now, to come again soon, as browsers do. Each looks at Redis
#: ten times a second, which takes 0.2 % of a processor.
LISTENERS = 32

_places = BoundedSemaphore(LISTENERS)


class AskSerializer(serializers.Serializer[Any]):
    """What ``POST questions/`` takes; what it means is checked by the operation."""

    text = TextField(allow_blank=True, trim_whitespace=False)
    filters = serializers.DictField(required=False, default=dict)


class QuestionSerializer(ResultSerializer[Question]):
    """A question and how far its answer is."""

    verbs: ClassVar[tuple[str, ...]] = ("stream", "cancel")

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


class QuestionDetailSerializer(QuestionSerializer):
    """A question with its answer, which is empty until it is whole, and what that rests on."""

    class Meta(QuestionSerializer.Meta):
        fields = [*QuestionSerializer.Meta.fields, "answer", "citations"]


class QuestionViewSet(CancelMixin, DestroyModelMixin, ReadOnlyModelViewSet[Question]):
    """Ask the documents, and read what they answer."""

    filterset_class = QuestionFilterSet
    sort_fields = ["created_at"]
    parser_classes = [ShallowJSONParser]
    cancel_result = staticmethod(cancel_question)

    def get_queryset(self) -> ResultQuerySet[Question]:
        questions = Question.objects.in_workspace(self.workspace)
        return questions.defer("answer", "citations") if self.action == "list" else questions

    def get_serializer_class(self) -> type[BaseSerializer[Question]]:
        return QuestionSerializer if self.action == "list" else QuestionDetailSerializer

    @idempotent
    def create(self, request: Request) -> Response:
        """Have ``text`` answered from the documents that ``filters`` leave: 202."""
        asked = AskSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        question = ask(
            workspace=self.workspace,
            text=asked.validated_data["text"],
            filters=asked.validated_data["filters"],
            created_by=user_of(request),
        )
        data = self.get_serializer(self.get_queryset().get(pk=question.pk)).data
        headers = {"Location": data["links"]["self"]}
        return Response(data, status=status.HTTP_202_ACCEPTED, headers=headers)

    def perform_destroy(self, instance: Question) -> None:
        delete_question(instance)

    @action(detail=True, content_negotiation_class=FirstRendererNegotiation)
    def stream(self, request: Request, pk: str) -> HttpResponseBase:
        """Tell the answer while it is written, as server-sent events.

        ``delta`` goes on with the text, ``restart`` takes back all of it, and ``done`` has the
        answer as it is; ``failed`` says why there is none. ``Last-Event-ID`` goes on after that.
        """
        question = self.get_object()
        is_following = _places.acquire(blocking=False)
        events = listen(
            question.pk,
            last_event_id=request.headers.get("Last-Event-ID", ""),
            is_following=is_following,
        )
        places = _places if is_following else None
        return answer(EventStream(events, request=request, places=places), request)
