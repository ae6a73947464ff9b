"""Staff may do through the API what the admin lets them do."""

import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from tests.factories.processing import TranscriptFactory

pytestmark = pytest.mark.django_db

TRANSCRIPTS = "/api/v1/transcripts/"


@pytest.fixture
def staff() -> User:
    return User.objects.create_user("staff", is_staff=True)


@pytest.fixture
def client(staff: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(staff)
    return client


def test_staff_without_a_permission_read_nothing(client: APIClient) -> None:
    transcript = TranscriptFactory.create(completed=True)

    assert client.get(TRANSCRIPTS).status_code == 403
    assert client.get(f"{TRANSCRIPTS}{transcript.pk}/export/").status_code == 403


def test_staff_who_may_view_read_and_cancel_nothing(client: APIClient, staff: User) -> None:
    transcript = TranscriptFactory.create(completed=True)
    staff.user_permissions.add(Permission.objects.get(codename="view_transcript"))

    assert client.get(TRANSCRIPTS).status_code == 200
    assert client.post(f"{TRANSCRIPTS}{transcript.pk}/cancel/").status_code == 403


def test_staff_who_may_add_transcripts_but_not_change_them_cancel_nothing(
    client: APIClient, staff: User
) -> None:
    transcript = TranscriptFactory.create()
    staff.user_permissions.add(
        *Permission.objects.filter(codename__in=["view_transcript", "add_transcript"])
    )

    assert client.post(f"{TRANSCRIPTS}{transcript.pk}/cancel/").status_code == 403


def test_staff_who_may_change_transcripts_cancel_them(client: APIClient, staff: User) -> None:
    transcript = TranscriptFactory.create()
    staff.user_permissions.add(
        *Permission.objects.filter(codename__in=["view_transcript", "change_transcript"])
    )

    assert client.post(f"{TRANSCRIPTS}{transcript.pk}/cancel/").status_code == 200
