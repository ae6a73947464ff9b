"""Translations by API: asked for, followed, had as files."""

import json
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from jobs.models import Job
from processing.choices import ResultStatus
from processing.models import Document, Translation
from tests.factories.knowledge import DocumentFactory, TranslationFactory
from tests.factories.processing import WorkspaceFactory
from tests.fakes.text import FakeTranslator
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

TRANSLATIONS = "/api/v1/translations/"


@pytest.fixture(autouse=True)
def _translator(settings: Settings) -> None:
    settings.CHAT, settings.TRANSLATOR = None, FakeTranslator(pairs=[("en", "de")])


def translations_of(document: Document) -> str:
    return f"/api/v1/documents/{document.pk}/translations/"


def ask(api: APIClient, document: Document, language: str = "de") -> Any:
    return api.post(translations_of(document), {"language": language}, format="json")


def test_a_translation_is_asked_for(api: APIClient) -> None:
    document = DocumentFactory.create(spoken=True)

    answer = ask(api, document)

    translation = Translation.objects.get()
    body = answer.json()
    assert answer.status_code == 202
    assert answer["Location"] == body["links"]["self"]
    assert body["links"]["self"].endswith(f"{TRANSLATIONS}{translation.pk}/")
    assert (body["status"], body["language"], body["progress"]) == ("PENDING", "de", 0.0)
    assert (body["document"], body["is_outdated"]) == (str(document.pk), False)
    assert Job.objects.about(document.pk).count() == 1


def test_one_that_is_there_is_answered(api: APIClient) -> None:
    translation = TranslationFactory.create(completed=True)

    answer = ask(api, translation.document)

    assert (answer.status_code, answer.json()["id"]) == (200, str(translation.pk))


@pytest.mark.parametrize(
    ("language", "status", "code"),
    [
        pytest.param("fr", 422, "not_configured", id="nobody knows it"),
        pytest.param("xx", 400, "unsupported_language", id="no language"),
        pytest.param("", 400, "invalid", id="none"),
        pytest.param("en", 409, "nothing_to_do", id="its own"),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    api: APIClient, language: str, status: int, code: str
) -> None:
    answer = ask(api, DocumentFactory.create(spoken=True), language)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not Translation.objects.exists()


def test_a_refusal_says_what_to_configure(api: APIClient) -> None:
    detail = ask(api, DocumentFactory.create(spoken=True), "fr").json()["detail"]

    assert "CHAT_BASE_URL and CHAT_MODEL" in detail
    assert "requirements-argos.txt" in detail


def test_a_translation_has_its_segments(api: APIClient) -> None:
    translation = TranslationFactory.create(completed=True)

    body = api.get(f"{TRANSLATIONS}{translation.pk}/").json()

    assert body["segments"] == [
        {"start": 0.1, "end": 0.45, "text": "so wurde"},
        {"start": 1.1, "end": 1.45, "text": "es gesagt", "speaker": "Anna"},
    ]


def test_a_translation_of_an_older_version_says_so(api: APIClient) -> None:
    translation = TranslationFactory.create(completed=True)
    Document.objects.update(version=2)

    assert api.get(f"{TRANSLATIONS}{translation.pk}/").json()["is_outdated"] is True


def test_lists_have_no_content_and_constant_queries(api: APIClient) -> None:
    TranslationFactory.create(completed=True)
    few = len(queries_of(lambda: api.get(TRANSLATIONS)))
    TranslationFactory.create_batch(3, failed=True)

    many = queries_of(lambda: api.get(TRANSLATIONS))

    body = api.get(TRANSLATIONS, {"status": "FAILED"}).json()
    assert len(many) == few
    assert [item["error"]["code"] for item in body["items"]] == ["bad_answer"] * 3
    assert "segments" not in body["items"][0]


def test_the_translations_of_a_document_are_its_own(api: APIClient) -> None:
    translation = TranslationFactory.create()
    TranslationFactory.create()

    items = api.get(translations_of(translation.document)).json()["items"]

    assert [item["id"] for item in items] == [str(translation.pk)]


@pytest.mark.parametrize(
    ("format_name", "content_type", "text"),
    [
        pytest.param("text", "text/plain; charset=utf-8", "so wurde\nAnna: es gesagt\n", id="text"),
        pytest.param(
            "srt",
            "application/x-subrip; charset=utf-8",
            "1\n00:00:00,100 --> 00:00:00,450\nso wurde\n\n"
            "2\n00:00:01,100 --> 00:00:01,450\nAnna: es gesagt\n",
            id="srt",
        ),
        pytest.param(
            "vtt",
            "text/vtt; charset=utf-8",
            "WEBVTT\n\n00:00:00.100 --> 00:00:00.450\nso wurde\n\n"
            "00:00:01.100 --> 00:00:01.450\n<v Anna>es gesagt\n",
            id="vtt",
        ),
    ],
)
def test_a_translation_is_exported(
    api: APIClient, format_name: str, content_type: str, text: str
) -> None:
    document = DocumentFactory.create(spoken=True, title="meeting.wav")
    translation = TranslationFactory.create(completed=True, document=document)

    answer = api.get(f"{TRANSLATIONS}{translation.pk}/export/", {"format": format_name})

    extension = "txt" if format_name == "text" else format_name
    assert (answer["Content-Type"], answer.content.decode()) == (content_type, text)
    assert answer["Content-Disposition"] == f'attachment; filename="meeting.de.{extension}"'


def test_a_translation_is_exported_as_json(api: APIClient) -> None:
    translation = TranslationFactory.create(completed=True)

    answer = api.get(f"{TRANSLATIONS}{translation.pk}/export/", {"format": "json"})

    body = json.loads(answer.content)
    assert list(body) == ["language", "engine", "document_version", "segments"]
    assert [segment["text"] for segment in body["segments"]] == ["so wurde", "es gesagt"]


def test_a_long_segment_is_several_subtitles_in_proportion(api: APIClient) -> None:
    text = " ".join(["einundzwanzig Buchstaben"] * 6)
    translation = TranslationFactory.create(
        completed=True, segments=[{"start": 0.0, "end": 9.0, "text": text}]
    )

    srt = api.get(f"{TRANSLATIONS}{translation.pk}/export/", {"format": "srt"}).content.decode()

    assert [line for line in srt.split("\n") if "-->" in line] == [
        "00:00:00,000 --> 00:00:04,500",
        "00:00:04,500 --> 00:00:09,000",
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("今日は雨です。" * 20, id="letters that are twice as wide"),
        pytest.param("שלום לכולם " * 20, id="right to left"),
    ],
)
def test_subtitles_of_any_script_have_all_of_the_text(api: APIClient, text: str) -> None:
    translation = TranslationFactory.create(
        completed=True, segments=[{"start": 0.0, "end": 20.0, "text": text}]
    )

    vtt = api.get(f"{TRANSLATIONS}{translation.pk}/export/", {"format": "vtt"}).content.decode()

    cues = [cue.split("\n", 1)[1] for cue in vtt.split("\n\n")[1:]]
    assert len(cues) > 2
    assert "".join(cues).replace("\n", "").replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    ("traits", "format_name", "status"),
    [
        pytest.param({}, "text", 409, id="not completed"),
        pytest.param({"completed": True}, "pdf", 400, id="no such format"),
        pytest.param(
            {"completed": True, "document__spoken": False},
            "srt",
            400,
            id="subtitles of what nobody spoke",
        ),
    ],
)
def test_what_cannot_be_exported_is_refused(
    api: APIClient, traits: dict[str, Any], format_name: str, status: int
) -> None:
    translation = TranslationFactory.create(**traits)

    answer = api.get(f"{TRANSLATIONS}{translation.pk}/export/", {"format": format_name})

    assert answer.status_code == status


def test_a_translation_is_cancelled_once(api: APIClient) -> None:
    translation = TranslationFactory.create(begun=True)

    first, second = (api.post(f"{TRANSLATIONS}{translation.pk}/cancel/") for _ in range(2))

    assert (first.status_code, first.json()["status"]) == (200, ResultStatus.CANCELLED)
    assert (second.status_code, second.json()["code"]) == (409, "already_over")


def test_a_translation_that_failed_is_retried(api: APIClient) -> None:
    translation = TranslationFactory.create(failed=True)

    first, second = (api.post(f"{TRANSLATIONS}{translation.pk}/retry/") for _ in range(2))

    assert (first.status_code, first.json()["status"]) == (200, ResultStatus.PENDING)
    assert first.json()["id"] == str(translation.pk)
    assert (second.status_code, second.json()["code"]) == (409, "nothing_to_do")


def test_translations_of_another_workspace_are_not_there(api: APIClient) -> None:
    document = DocumentFactory.create(workspace=WorkspaceFactory.create())
    translation = TranslationFactory.create(document=document)

    paths = [f"{TRANSLATIONS}{translation.pk}/", translations_of(document)]

    assert [api.get(path).status_code for path in paths] == [404, 404]
    assert ask(api, document).status_code == 404
    assert api.get(TRANSLATIONS).json()["items"] == []
