from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "monitoring"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from jobs.services import sweeper  # noqa: PLC0415  it imports models
        from monitoring import retention, sampling  # noqa: PLC0415  as above

        retention.register()
        sweeper.after_each_sweep(sampling.sample_if_due)
