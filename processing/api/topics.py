"""What documents are about."""

from typing import Any

from rest_framework import status
from rest_framework.mixins import DestroyModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from jobs.api.parsers import ShallowJSONParser
from processing.api.access import OfWorkspace
from processing.api.document_serializers import TopicSerializer
from processing.api.filtersets import TopicFilterSet
from processing.api.idempotency import idempotent
from processing.managers.topic import TopicQuerySet
from processing.models import Topic


class TopicViewSet(OfWorkspace, DestroyModelMixin, ReadOnlyModelViewSet[Topic]):
    """Topics with the number of their documents; who deletes one takes it from all of them."""

    serializer_class = TopicSerializer
    filterset_class = TopicFilterSet
    sort_fields = ["name"]
    lookup_field = "slug"
    parser_classes = [ShallowJSONParser]

    def get_queryset(self) -> TopicQuerySet:
        return Topic.objects.in_workspace(self.workspace).with_counts()

    @idempotent
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Make a topic of this ``name``, or answer the one that is there."""
        asked = TopicSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        topic = Topic.objects.named(self.workspace, asked.validated_data["name"])
        data = self.get_serializer(self.get_queryset().get(pk=topic.pk)).data
        headers = {"Location": data["links"]["self"]}
        return Response(data, status=status.HTTP_201_CREATED, headers=headers)
