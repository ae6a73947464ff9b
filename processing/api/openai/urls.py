"""OpenAI's addresses, which have no slash at their end; with one they are the same."""

from django.urls import re_path

from processing.api.openai.views import ModelView, TranscriptionView, TranslationView

urlpatterns = [
    re_path(
        "^audio/transcriptions/?$",
        TranscriptionView.as_view({"post": "create"}, basename="openai-transcription"),
    ),
    re_path(
        "^audio/translations/?$",
        TranslationView.as_view({"post": "create"}, basename="openai-translation"),
    ),
    re_path("^models/?$", ModelView.as_view({"get": "list"})),
    re_path("^models/(?P<model>.+?)/?$", ModelView.as_view({"get": "retrieve"})),
]
