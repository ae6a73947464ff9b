"""Lists in pages of at most a hundred."""

from typing import Any

from rest_framework.pagination import PageNumberPagination as RestPageNumberPagination
from rest_framework.response import Response


class PageNumberPagination(RestPageNumberPagination):
    """``?page=1&size=20``; size 1..100, with the totals a pager needs."""

    page_size = 20
    page_size_query_param = "size"
    max_page_size = 100

    def get_paginated_response(self, data: Any) -> Response:
        assert self.page is not None  # noqa: S101  set by paginate_queryset
        return Response(
            {
                "items": data,
                "page": self.page.number,
                "size": self.page.paginator.per_page,
                "total": self.page.paginator.count,
                "total_pages": self.page.paginator.num_pages,
                "has_next": self.page.has_next(),
                "has_previous": self.page.has_previous(),
            }
        )
