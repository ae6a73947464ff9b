"""Two workspaces that must not know of each other, with some of everything in them."""

from __future__ import annotations

import io
import wave
from typing import Any

from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from jobs.choices import JobStatus
from processing.choices import DocumentStatus, Role, Scope
from processing.models import Membership, Workspace
from processing.workspaces.keys import issue_key
from tests.factories.webhooks import WebhookDeliveryFactory, WebhookFactory
from tests.waiting import wait_for

API = "/api/v1"
TENANTS = ("one", "two")

#: Who sees the installation's jobs, workers and cache.
OPERATOR = "operator"

SAMPLE_RATE = 16_000


def write_keys() -> dict[str, str]:
    """Make workspaces; return the tokens of keys that may do everything, by whose they are."""
    return {name: _key(name) for name in (*TENANTS, OPERATOR)}


def kept_ids(keys: dict[str, str]) -> list[str]:
    """Return which keys these are, and which memberships they are of."""
    users = Membership.objects.filter(user__username__in=keys)
    return [*(token.split("_")[1] for token in keys.values()), *(str(one.pk) for one in users)]


def write_rows(keys: dict[str, str]) -> None:
    """Make some of everything that tenants have, with workers that run."""
    for name in TENANTS:
        headers = {"authorization": f"Bearer {keys[name]}", "host": "localhost"}
        _fill(Client(headers=headers), name)


def _key(name: str) -> str:
    is_operator = name == OPERATOR
    user = User.objects.create_user(name, is_staff=is_operator, is_superuser=is_operator)
    User.objects.create_user(f"{name}-guest")
    workspace = Workspace.objects.create(slug=name, name=name)
    Membership.objects.create(workspace=workspace, user=user, role=Role.MANAGER)
    _, token = issue_key(workspace=workspace, user=user, name="fuzz", scopes=[Scope.MANAGE])
    return token


def _fill(client: Client, name: str) -> None:
    speech = {"file": _file("speech.wav", _noise(name)), "name": "A meeting"}
    transcript = _post(client, "recordings/", speech)["transcript"]
    text = f"What {name} has to say about whales. They are large, and they sing.".encode()
    document = _post(client, "documents/", {"file": _file("whales.txt", text), "language": "en"})
    _post_json(client, "topics/", {"name": f"Whales of {name}"})
    of_document = f"documents/{document['id']}"
    wait_for(lambda: _status(client, of_document) == DocumentStatus.READY)
    wait_for(lambda: _status(client, f"transcripts/{transcript['id']}") == JobStatus.COMPLETED)
    _post_json(client, f"{of_document}/summaries/", {})
    _post_json(client, f"{of_document}/translations/", {"language": "de"})
    _post_json(client, "questions/", {"text": "What is said about whales?"})
    _post_json(client, "members/", {"username": f"{name}-guest", "role": Role.VIEWER})
    _post_json(client, "api-keys/", {"name": "another", "scopes": [Scope.READ]})
    webhook = WebhookFactory.create(workspace=Workspace.objects.get(slug=name))
    WebhookDeliveryFactory.create(webhook=webhook, delivered=True)


def _status(client: Client, path: str) -> Any:
    return client.get(f"{API}/{path}/").json()["status"]


def _post(client: Client, path: str, data: dict[str, Any], **options: Any) -> dict[str, Any]:
    answer = client.post(f"{API}/{path}", data, **options)
    assert answer.status_code < 300, (path, answer.content)
    made: dict[str, Any] = answer.json()
    return made


def _post_json(client: Client, path: str, data: dict[str, Any]) -> dict[str, Any]:
    return _post(client, path, data, content_type="application/json")


def _file(name: str, content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def _noise(seed: str) -> bytes:
    """Return two seconds of audio that no other tenant has."""
    file = io.BytesIO()
    with wave.open(file, "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(SAMPLE_RATE)
        audio.writeframes(seed.encode().ljust(4, b"\0") * SAMPLE_RATE)
    return file.getvalue()
