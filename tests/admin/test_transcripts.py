"""What the pages of transcripts and runs show, and the action that stops runs."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from processing.choices import ProcessingStatus
from processing.models import ProcessingTask, Transcript
from tests.factories.processing import (
    ProcessingTaskFactory,
    TranscriptFactory,
    heard_segment,
)

pytestmark = pytest.mark.django_db

RUNS = reverse("admin:processing_processingtask_changelist")
TRANSCRIPTS = reverse("admin:processing_transcript_changelist")


def page_of(client: Client, transcript: Transcript) -> str:
    address = reverse("admin:processing_transcript_change", args=[transcript.pk])
    return client.get(address).content.decode()


@pytest.mark.parametrize(
    ("status", "seconds"),
    [pytest.param("processing", "3", id="active"), pytest.param("completed", None, id="over")],
)
def test_a_transcripts_page_loads_itself_anew_while_its_run_goes_on(
    admin_client: Client, status: str, seconds: str | None
) -> None:
    run = ProcessingTaskFactory.create(**{status: True})
    address = reverse("admin:processing_transcript_change", args=[run.transcript_id])

    assert admin_client.get(address).get("Refresh") == seconds


def cancel(client: Client, *runs: ProcessingTask) -> Any:
    selection = {"action": "cancel", "_selected_action": [str(run.pk) for run in runs]}
    return client.post(RUNS, selection, follow=True)


def test_transcript_shows_its_text_with_times_and_its_gap_in_place(admin_client: Client) -> None:
    transcript = TranscriptFactory.create(
        partial=True,
        segments=[heard_segment(0.1, "so", "it"), heard_segment(61.0, "was", "said")],
        gaps=[{"start": 1.0, "end": 60.0, "reason": "error: the engine gave up"}],
    )

    page = page_of(admin_client, transcript)

    shown = [
        "<time>0:00 to 0:00</time><span>so it</span>",
        "<time>0:01 to 1:00</time><span>nothing heard: error: the engine gave up</span>",
        "<time>1:01 to 1:01</time><span>was said</span>",
    ]
    places = [page.index(line) for line in shown]
    assert places == sorted(places)
    assert '<span class="badge badge-partial">PARTIAL</span>' in page


def test_words_are_shown_as_text(admin_client: Client) -> None:
    transcript = TranscriptFactory.create(completed=True, segments=[heard_segment(0, "<script>")])

    page = page_of(admin_client, transcript)

    assert "<span>&lt;script&gt;</span>" in page


@pytest.mark.parametrize("format_name", ["text", "json", "srt", "vtt"])
def test_export_link_gives_a_file_to_whoever_is_logged_in(
    admin_client: Client, format_name: str
) -> None:
    transcript = TranscriptFactory.create(completed=True)
    link = f"{reverse('transcript-export', args=[transcript.pk])}?format={format_name}"

    assert f'href="{link}"' in page_of(admin_client, transcript)
    assert "attachment" in admin_client.get(link)["Content-Disposition"]


def test_transcript_that_is_not_finished_has_no_export_links(admin_client: Client) -> None:
    assert "?format=" not in page_of(admin_client, TranscriptFactory.create(processing=True))


def test_run_shows_its_progress_as_bar_and_words(admin_client: Client) -> None:
    ProcessingTaskFactory.create(
        processing=True, total_samples=240 * 16_000, done_samples=42 * 16_000, completed_chunks=1
    )

    page = admin_client.get(RUNS).content.decode()

    assert '<progress value="0.1750" max="1"></progress> 0:42 of 4:00' in page


@pytest.mark.parametrize("trait", ["failed", "cancelled"])
def test_run_that_was_stopped_shows_no_full_bar(admin_client: Client, trait: str) -> None:
    ProcessingTaskFactory.create(**{trait: True})

    page = admin_client.get(RUNS).content.decode()

    assert "<progress" not in page
    assert "0:00 of 0:02" in page


def test_transcripts_are_narrowed_by_the_status_of_the_latest_run(admin_client: Client) -> None:
    wanted = TranscriptFactory.create(failed=True)
    rerun = TranscriptFactory.create(failed=True)
    ProcessingTaskFactory.create(transcript=rerun, processing=True)

    response = admin_client.get(TRANSCRIPTS, {"status": "FAILED"})

    assert list(response.context["cl"].result_list) == [wanted]


def test_cancel_stops_what_goes_on_and_counts(admin_client: Client) -> None:
    going, over = (
        ProcessingTaskFactory.create(processing=True),
        ProcessingTaskFactory.create(completed=True),
    )

    response = cancel(admin_client, going, over)

    going.refresh_from_db()
    over.refresh_from_db()
    assert "Cancelled 1; 1 had ended before." in response.content.decode()
    assert going.status == ProcessingStatus.CANCELLED
    assert over.status == ProcessingStatus.COMPLETED


def test_who_may_only_look_cannot_cancel(client: Client, django_user_model: type[User]) -> None:
    viewer = django_user_model.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_processingtask"))
    client.force_login(viewer)
    run = ProcessingTaskFactory.create(processing=True)

    cancel(client, run)

    run.refresh_from_db()
    assert run.status == ProcessingStatus.PROCESSING
