from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from jobs import bulk_actions, job_verbs  # noqa: PLC0415  they import models
        from jobs.services import retention  # noqa: PLC0415  as above

        retention.register()
        bulk_actions.register()
        job_verbs.register()
