"""What the pages of transcripts and runs show, and the action that stops runs."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from jobs.models import Job
from processing.admin.presentation import DOUBTS, SHOWN_SEAMS, seam_audit
from processing.choices import ProcessingStatus
from processing.models import ProcessingTask, Transcript
from processing.services.merging.suspicion import Flag
from processing.services.requesting import request_transcript
from tests.factories.processing import (
    ChunkTaskFactory,
    ProcessingTaskFactory,
    RecordingFactory,
    TranscriptFactory,
    heard_segment,
)

pytestmark = pytest.mark.django_db

RUNS = reverse("admin:processing_processingtask_changelist")
TRANSCRIPTS = reverse("admin:processing_transcript_changelist")


def page_of(client: Client, transcript: Transcript) -> str:
    address = reverse("admin:processing_transcript_change", args=[transcript.pk])
    return client.get(address).content.decode()


def cancel(client: Client, *runs: ProcessingTask) -> Any:
    selection = {"action": "cancel", "_selected_action": [str(run.pk) for run in runs]}
    return client.post(RUNS, selection | {"confirmed": "yes"}, follow=True)


def test_transcript_shows_its_text_with_times_and_its_gap_in_place(admin_client: Client) -> None:
    transcript = TranscriptFactory.create(
        partial=True,
        segments=[heard_segment(0.1, "so", "it"), heard_segment(61.0, "was", "said")],
        gaps=[{"start": 1.0, "end": 60.0, "reason": "error: the engine gave up"}],
    )

    page = page_of(admin_client, transcript)

    shown = [
        ">it</span></span></p>",
        "<time>0:01 to 1:00</time><span>nothing heard: error: the engine gave up</span>",
        ">was</span>",
    ]
    places = [page.index(line) for line in shown]
    assert places == sorted(places)
    assert '<span class="badge badge-partial">PARTIAL</span>' in page


def test_segment_shows_who_speaks(admin_client: Client) -> None:
    spoken = heard_segment(0.1, "so", "it") | {"speaker": "<Ann>"}
    transcript = TranscriptFactory.create(completed=True, segments=[spoken])

    page = page_of(admin_client, transcript)

    assert '<b class="speaker">&lt;Ann&gt;</b><span class="said" dir="auto">' in page


def test_segment_that_is_doubted_says_why(admin_client: Client) -> None:
    doubted = heard_segment(0.1, "so", "it") | {"flags": ["low_confidence", "unheard_of"]}
    transcript = TranscriptFactory.create(completed=True, segments=[doubted])

    page = page_of(admin_client, transcript)

    assert (
        '<abbr class="chip low_confidence" title="The engine was not sure of it">low confidence'
        '</abbr> <abbr class="chip unheard_of" title="unheard_of">unheard of</abbr></p>'
    ) in page


@pytest.mark.parametrize("flag", Flag, ids=str)
def test_every_doubt_has_words(flag: Flag) -> None:
    assert DOUBTS[flag]


def test_segment_with_estimated_times_is_marked(admin_client: Client) -> None:
    guessed = heard_segment(0.1, "so", "it") | {"is_estimated": True}
    transcript = TranscriptFactory.create(completed=True, segments=[guessed])

    assert "these are estimated" in page_of(admin_client, transcript)


def test_audit_of_seams_is_folded_away(admin_client: Client) -> None:
    seam = {
        "at": 61.0,
        "left_chunk": 0,
        "right_chunk": 1,
        "method": "aligned",
        "matched": 2,
        "left": ["so", "it"],
        "right": ["it", "<was>"],
        "kept": ["so", "it", "<was>"],
    }
    transcript = TranscriptFactory.create(completed=True, seams=[seam])

    page = page_of(admin_client, transcript)

    assert '<details class="seams"><summary>1 overlap</summary>' in page
    assert (
        "<td>1:01</td><td>0, 1</td><td>aligned, 2 matched</td><td>so it</td>"
        "<td>it &lt;was&gt;</td><td>so it &lt;was&gt;</td>"
    ) in page


def test_a_page_has_no_more_seams_than_a_browser_likes() -> None:
    seam = {"at": 1.0, "left_chunk": 0, "right_chunk": 1, "method": "aligned", "matched": 0}
    many = [seam | {"left": [], "right": [], "kept": []}] * (SHOWN_SEAMS + 1)

    shown = seam_audit(many)

    assert f"{SHOWN_SEAMS + 1} overlaps, the first {SHOWN_SEAMS} here" in shown
    assert shown.count("<td>0, 1</td>") == SHOWN_SEAMS


def running() -> ProcessingTask:
    """Return a run that has heard the first of its two chunks."""
    run: ProcessingTask = ProcessingTaskFactory.create(processing=True, max_concurrent_chunks=7)
    ChunkTaskFactory.create(processing=run, completed=True)
    ChunkTaskFactory.create(processing=run)
    return run


def run_page(client: Client, run: ProcessingTask) -> Any:
    return client.get(reverse("admin:processing_processingtask_change", args=[run.pk]))


def test_run_shows_what_it_has_heard_while_it_goes_on(admin_client: Client) -> None:
    response = run_page(admin_client, running())

    page = response.content.decode()
    assert "<time>0:00 to 0:00</time><span>word</span>" in page
    assert '<p class="pending"><time>0:01 to 0:02</time><span>not heard yet</span></p>' in page


def test_run_shows_how_many_chunks_it_may_have_at_once(admin_client: Client) -> None:
    page = run_page(admin_client, running()).content.decode()

    assert '<div class="readonly">7</div>' in page


def test_run_that_is_over_leads_to_its_transcript(admin_client: Client) -> None:
    run = ProcessingTaskFactory.create(completed=True)
    address = reverse("admin:processing_transcript_change", args=[run.transcript_id])

    response = run_page(admin_client, run)

    assert response.content.decode().count(f'href="{address}"') == 2


def test_transcript_without_text_shows_what_is_heard_by_now(admin_client: Client) -> None:
    page = page_of(admin_client, running().transcript)

    assert ">word</span>" in page
    assert "<span>not heard yet</span>" in page


def test_words_are_shown_as_text(admin_client: Client) -> None:
    transcript = TranscriptFactory.create(completed=True, segments=[heard_segment(0, "<script>")])

    page = page_of(admin_client, transcript)

    assert ">&lt;script&gt;</span>" in page


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
    now = timezone.now()
    ProcessingTaskFactory.create(
        processing=True,
        total_samples=240 * 16_000,
        done_samples=42 * 16_000,
        completed_chunks=1,
        started_at=now - timedelta(seconds=20),
    )

    with time_machine.travel(now, tick=False):
        page = admin_client.get(RUNS).content.decode()

    assert '<progress value="0.1750" max="1"></progress> 0:42 of 4:00, about 1:34 left' in page


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
    assert "Cancelled 1 of 2." in response.content.decode()
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


# Having gaps heard again


BUTTON = "Hear the gaps again"


def gapped() -> Transcript:
    """Return the partial transcript that a request has led to."""
    asked = request_transcript(recording=RecordingFactory.create(), engine="scripted")
    asked.processing.delete()
    ProcessingTaskFactory.create(transcript=asked.transcript, partial=True)
    return asked.transcript


def retry(client: Client, transcript: Transcript) -> Any:
    address = reverse("admin:processing_transcript_retry", args=[transcript.pk])
    return client.post(address, follow=True)


@pytest.mark.parametrize("trait", ["partial", "failed", "cancelled"])
def test_what_was_not_heard_can_be_heard_again(admin_client: Client, trait: str) -> None:
    assert BUTTON in page_of(admin_client, TranscriptFactory.create(**{trait: True}))


@pytest.mark.parametrize("trait", ["completed", "processing"])
def test_what_is_heard_or_being_heard_has_no_button(admin_client: Client, trait: str) -> None:
    assert BUTTON not in page_of(admin_client, TranscriptFactory.create(**{trait: True}))


def test_retry_starts_a_run_and_shows_it(admin_client: Client, admin_user: User) -> None:
    transcript = gapped()

    response = retry(admin_client, transcript)

    page = response.content.decode()
    assert "The gaps are being heard again." in page
    assert '<span class="badge badge-pending">PENDING</span>' in page
    assert transcript.processings.count() == 2
    assert Job.objects.about(transcript.pk).filter(created_by=admin_user).count() == 1


def test_retry_of_what_has_no_gaps_does_nothing_and_says_so(admin_client: Client) -> None:
    transcript = TranscriptFactory.create(completed=True)

    response = retry(admin_client, transcript)

    assert "Nothing to do: every part of the recording was heard." in response.content.decode()
    assert transcript.processings.count() == 1


def test_retry_is_not_done_by_looking(admin_client: Client) -> None:
    transcript = gapped()
    address = reverse("admin:processing_transcript_retry", args=[transcript.pk])

    assert admin_client.get(address).status_code == 405
    assert transcript.processings.count() == 1


def test_retry_of_what_does_not_exist_is_not_found(admin_client: Client) -> None:
    address = reverse("admin:processing_transcript_retry", args=[UUID(int=0)])

    assert admin_client.post(address).status_code == 404


def test_retry_of_several_counts(admin_client: Client) -> None:
    going, over = gapped(), TranscriptFactory.create(completed=True)
    selection = {"action": "retry", "_selected_action": [str(going.pk), str(over.pk)]}

    page = admin_client.post(TRANSCRIPTS, selection, follow=True).content.decode()

    assert "The gaps of 1 of 2 are being heard again." in page
    assert "Refused 1: every part of the recording was heard." in page
    assert (going.processings.count(), over.processings.count()) == (2, 1)


def test_who_may_only_look_cannot_retry(client: Client, django_user_model: type[User]) -> None:
    viewer = django_user_model.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_transcript"))
    client.force_login(viewer)
    transcript = gapped()

    assert BUTTON not in page_of(client, transcript)
    assert retry(client, transcript).status_code == 403
    assert transcript.processings.count() == 1
