"""What summaries, translations and questions have in common: each is made by a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django.db.models import Model
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.viewsets import GenericViewSet

from processing.api.access import OfWorkspace, user_of
from processing.choices import ResultStatus
from processing.exceptions import AlreadyOver
from processing.models import Document, Result

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.request import Request

ResultT = TypeVar("ResultT", bound=Model)


class ResultSerializer(serializers.ModelSerializer[ResultT]):
    """How far a result is; ``error`` is null unless it failed.

    ``verbs`` are the routes of one result that its links name.
    """

    verbs: ClassVar[tuple[str, ...]] = ("cancel",)

    error = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()

    def get_error(self, result: Any) -> dict[str, str] | None:
        if not result.error_code:
            return None
        return {"code": result.error_code, "message": result.error_message}

    def get_links(self, result: Any) -> dict[str, str]:
        request, name = self.context["request"], result._meta.model_name
        routes = {"self": "detail"} | {verb: verb for verb in self.verbs}
        return {
            verb: reverse(f"{name}-{route}", [str(result.pk)], request=request)
            for verb, route in routes.items()
        }


class OfDocumentSerializer(ResultSerializer[ResultT]):
    """A result that is made of a document; ``is_outdated``: that was corrected since."""

    verbs: ClassVar[tuple[str, ...]] = ("cancel", "retry")

    document = serializers.PrimaryKeyRelatedField[Document](read_only=True)
    is_outdated = serializers.SerializerMethodField()

    def get_is_outdated(self, result: Any) -> bool:
        return bool(result.document_version != result.document.version)


class CancelMixin(OfWorkspace, GenericViewSet[Any]):
    """Results that somebody may not want any more, by the verb of the model."""

    cancel_result: Callable[[Any], bool]

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Have nobody make it any more; 409 when it is over."""
        is_cancelled = self.cancel_result(self.get_object())
        result: Result = self.get_object()
        if not is_cancelled:
            name = result._meta.verbose_name
            raise AlreadyOver(f"the {name} is {result.status} and can no longer be cancelled")
        return Response(self.get_serializer(result).data)


class RetryMixin(CancelMixin):
    """Results that can be made after all."""

    retry_result: Callable[..., Result]

    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Have one that failed or was cancelled made after all; 409 for any other.

        The answer is another one where the document was corrected since.
        """
        retried = self.retry_result(self.get_object(), created_by=user_of(request))
        return Response(self.get_serializer(self.get_queryset().get(pk=retried.pk)).data)


class OfDocument(OfWorkspace, GenericViewSet[Any]):
    """A view of the results of ``document``, which the address names."""

    document: Document

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        documents = Document.objects.in_workspace(self.workspace).without_content()
        self.document = get_object_or_404(documents, pk=kwargs["document_pk"])

    def answer(self, result: Result) -> Response:
        """Answer what was asked for: 202, or 200 when it is there."""
        data = self.get_serializer(self.get_queryset().get(pk=result.pk)).data
        is_there = result.status == ResultStatus.COMPLETED
        return Response(
            data,
            status=status.HTTP_200_OK if is_there else status.HTTP_202_ACCEPTED,
            headers={"Location": data["links"]["self"]},
        )
