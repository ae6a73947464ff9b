from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate, post_save


class ProcessingConfig(AppConfig):
    name = "processing"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from processing import bulk_actions, checks, handlers  # noqa: F401, PLC0415  they import models
        from processing.services.inputs import expiry  # noqa: PLC0415  it imports models
        from processing.webhooks import checks as webhook_checks  # noqa: F401, PLC0415  as above
        from processing.workspaces import retention  # noqa: PLC0415  as above
        from processing.workspaces.audit import record_log_entry  # noqa: PLC0415  as above

        handlers.register()
        bulk_actions.register()
        retention.register()
        expiry.register()
        post_migrate.connect(_prepare, sender=self)
        post_save.connect(record_log_entry, sender="admin.LogEntry")


def _prepare(**kwargs: Any) -> None:
    """Make ready for search by meaning what the settings and the server allow."""
    from processing.knowledge.searching.embeddings import prepare_semantic_search  # noqa: PLC0415  models

    prepare_semantic_search()
