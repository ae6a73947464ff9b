from django.contrib.admin.apps import AdminConfig


class LonghandAdminConfig(AdminConfig):
    """Django's admin, with our site as the one that models register with."""

    default_site = "config.back_office.LonghandAdminSite"
