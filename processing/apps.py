from django.apps import AppConfig


class ProcessingConfig(AppConfig):
    name = "processing"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from processing import checks, handlers  # noqa: F401, PLC0415  they import models

        handlers.register()
