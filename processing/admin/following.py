"""Pages that are loaded anew while a run goes on."""

import math
import time
from typing import Any

from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from jobs.admin import MachineOwnedAdmin

#: How often a page is loaded anew: every few seconds, and no more often than every so many
#: times as long as it took to make.
REFRESH_SECONDS = 3
REFRESH_FACTOR = 10


class FollowedAdmin(MachineOwnedAdmin):
    """A page of each row that shows how far it is."""

    def is_going_on(self, object_id: str) -> bool:
        """Whether what the page shows changes by itself."""
        raise NotImplementedError

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the page; a browser loads it anew in a while when its run goes on."""
        began = time.perf_counter()
        response = super().change_view(request, object_id, form_url, extra_context)
        if isinstance(response, TemplateResponse) and self.is_going_on(unquote(object_id)):
            response.render()
            response["Refresh"] = str(refresh_seconds(time.perf_counter() - began))
        return response


def refresh_seconds(took_seconds: float) -> int:
    """Return when a page that took so long to make is loaded anew."""
    return max(REFRESH_SECONDS, math.ceil(took_seconds * REFRESH_FACTOR))
