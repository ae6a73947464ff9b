"""Who calls the API in tests."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from processing.choices import Role
from processing.models import Membership, Workspace

RECORDINGS = "/api/v1/recordings/"
TRANSCRIPTS = "/api/v1/transcripts/"


@pytest.fixture
def api(admin_user: User) -> APIClient:
    """A client that is logged in as staff."""
    client = APIClient()
    client.force_authenticate(admin_user)
    return client


@pytest.fixture
def viewer() -> APIClient:
    """A client of a member of the default workspace who may only look."""
    user = User.objects.create_user("viewer")
    Membership.objects.create(workspace=Workspace.objects.default(), user=user, role=Role.VIEWER)
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.fixture
def upload(api: APIClient) -> Callable[..., Any]:
    """Post a file of given bytes, with the other fields of the form."""

    def post(content: bytes, file_name: str = "meeting.wav", **fields: str) -> Any:
        return api.post(RECORDINGS, {"file": SimpleUploadedFile(file_name, content), **fields})

    return post
