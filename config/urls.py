"""Which part of the house answers which address."""

from django.contrib import admin
from django.urls import include, path

from monitoring.health import health

handler404 = "config.exceptions.page_not_found"
handler500 = "config.exceptions.server_error"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/", include("config.api")),
    path("health", health),
]
