from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ProcessingConfig(AppConfig):
    name = "processing"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from processing import checks, handlers  # noqa: F401, PLC0415  they import models

        handlers.register()
        post_migrate.connect(_prepare, sender=self)


def _prepare(**kwargs: Any) -> None:
    """Make ready for search by meaning what the settings and the server allow."""
    from processing.knowledge.searching.embeddings import prepare_semantic_search  # noqa: PLC0415  models

    prepare_semantic_search()
