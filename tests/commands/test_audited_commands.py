"""What operators destroy is in the account too."""

import pytest
from django.core.management import get_commands

from manage import AUDITED
from processing.models import AuditEvent
from tests.processes import manage


@pytest.mark.django_db(transaction=True)
def test_what_a_command_destroyed_is_written_down() -> None:
    done = manage("purge_jobs", "--older-than", "30d")
    tried = manage("purge_jobs", "--older-than", "30d", "--dry-run")

    assert (done.returncode, tried.returncode) == (0, 0), done.stderr
    [event] = AuditEvent.objects.all()
    assert (event.action, event.object_id) == ("command.purge_jobs", "purge_jobs")
    assert event.details["arguments"] == ["--older-than", "30d"]
    assert event.details["operator"]


def test_every_command_that_purges_leaves_an_event() -> None:
    purging = {name for name in get_commands() if "purge" in name or "api_key" in name}

    assert purging >= {"purge_jobs", "purge_cache", "purge_recordings", "create_api_key"}
    assert {name for name in purging if not name.startswith(AUDITED)} == set()
