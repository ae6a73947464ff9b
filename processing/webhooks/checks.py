"""What must be right of the settings of webhooks before anything starts."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from processing.services.inputs.addresses import AllowedHosts


@register
def check_webhooks(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Find hosts to be allowed that are neither names nor networks."""
    try:
        AllowedHosts.parse(settings.WEBHOOK_ALLOWED_HOSTS)
    except ValueError as error:
        return [Error(f"WEBHOOK_ALLOWED_HOSTS: {error}", id="processing.E005")]
    return []
