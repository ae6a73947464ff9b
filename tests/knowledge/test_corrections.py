"""Corrections: what people write stays, has a history, and everything else follows it."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from caching.backend import get_cache
from jobs.models import Job
from processing.choices import (
    INDEXING_JOB,
    SUMMARIZATION_JOB,
    ResultStatus,
)
from processing.exceptions import (
    InvalidCorrection,
    NotFinished,
    NothingToDo,
    Outdated,
)
from processing.knowledge.corrections import (
    MAX_TEXT_CHARACTERS,
    correct_transcript,
    revert_to,
)
from processing.models import (
    Document,
    DocumentVersion,
    Summary,
    Transcript,
    Translation,
)
from processing.services.exports import exported
from tests.factories.knowledge import DocumentFactory, TranslationFactory
from tests.factories.processing import (
    ProcessingTaskFactory,
    TranscriptFactory,
    heard_segment,
)
from tests.fakes.text import FakeTranslator

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _translator(settings: Settings) -> None:
    settings.CHAT, settings.TRANSLATOR = None, FakeTranslator()


@pytest.fixture
def transcript() -> Transcript:
    """Two segments, "so it" and "was said", the second of which is doubtful."""
    row: Transcript = TranscriptFactory.create(completed=True)
    row.segments[1]["flags"] = ["fast"]
    row.save()
    DocumentFactory.create(transcript=row)
    return row


def corrected(transcript: Transcript, *changes: dict[str, Any], version: int = 1) -> Document:
    document = correct_transcript(
        transcript=transcript, changes=changes, expected_version=version, note="names"
    )
    transcript.refresh_from_db()
    return document


def change(segment: int, text: str) -> dict[str, Any]:
    return {"segment": segment, "text": text}


# What the transcript says then


def test_the_text_is_the_new_one_and_heard_words_keep_their_times(transcript: Transcript) -> None:
    heard_word = transcript.segments[1]["words"][1]

    document = corrected(transcript, change(1, "were said"))

    assert (transcript.text, document.version) == ("so it were said", 2)
    segment = transcript.segments[1]
    assert (segment["text"], segment["start"], segment["end"]) == ("were said", 1.1, 1.45)
    assert segment["words"][1] == heard_word
    assert segment["words"][0] == {
        "word": "were",
        "start": 1.1,
        "end": 1.25,
        "confidence": None,
        "is_corrected": True,
    }


def test_what_was_doubted_of_a_segment_is_not_of_what_somebody_wrote(
    transcript: Transcript,
) -> None:
    corrected(transcript, change(1, "were said"))

    assert "flags" not in transcript.segments[1]


def test_a_segment_without_text_goes(transcript: Transcript) -> None:
    corrected(transcript, change(0, " "))

    assert [segment["text"] for segment in transcript.segments] == ["was said"]
    assert transcript.text == "was said"


def test_all_of_it_can_go(transcript: Transcript) -> None:
    corrected(transcript, change(0, ""), change(1, ""))

    assert (transcript.text, transcript.segments) == ("", [])


def test_a_speaker_can_be_named_and_taken_away(transcript: Transcript) -> None:
    corrected(transcript, {"segment": 0, "speaker": " Anna  B. "})
    assert transcript.segments[0]["speaker"] == "Anna B."

    corrected(transcript, {"segment": 0, "speaker": ""}, version=2)
    assert "speaker" not in transcript.segments[0]


def test_a_named_speaker_keeps_the_channel(transcript: Transcript) -> None:
    transcript.segments[0]["speaker"] = "channel 2: A"
    transcript.save()

    corrected(transcript, {"segment": 0, "speaker": "Anna"})

    assert (transcript.segments[0]["speaker"], transcript.segments[0]["channel"]) == (
        "Anna",
        "channel 2",
    )


def test_letters_without_spaces_between_them_are_joined_without(transcript: Transcript) -> None:
    corrected(transcript, change(0, "今日は 雨"), change(1, "です"))

    assert transcript.text == "今日は雨です"


def test_an_export_says_the_new_text_and_who_wrote_it(transcript: Transcript) -> None:
    assert exported(transcript, "text") == "so it\nwas said\n"

    corrected(transcript, change(1, "were said"))

    assert exported(transcript, "text") == "so it\nwere said\n"
    assert exported(transcript, "json").count('"is_corrected": true') == 1


# What is refused


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        pytest.param([change(1, "was said")], NothingToDo, "already", id="the same text"),
        pytest.param([change(1, " was\nsaid ")], NothingToDo, "already", id="other spaces"),
        pytest.param([], NothingToDo, "already", id="no change"),
        pytest.param([change(2, "x")], InvalidCorrection, "no segment 2; .* has 2", id="unknown"),
        pytest.param([change(-1, "x")], InvalidCorrection, "no segment -1", id="below all"),
        pytest.param(
            [change(0, "x"), change(0, "y")], InvalidCorrection, "twice", id="the same twice"
        ),
        pytest.param([change(0, "a\0b")], InvalidCorrection, "are none", id="a null character"),
        pytest.param([change(0, "\ud800")], InvalidCorrection, "are none", id="half a letter"),
        pytest.param(
            [change(0, "x" * (MAX_TEXT_CHARACTERS + 1))],
            InvalidCorrection,
            "at most 20,000 characters, not 20,001",
            id="too long",
        ),
        pytest.param(
            [{"segment": 0, "speaker": "x" * 101}],
            InvalidCorrection,
            "speaker of a segment has at most 100",
            id="a long name",
        ),
    ],
)
def test_a_correction_that_cannot_be_changes_nothing(
    transcript: Transcript, changes: list[dict[str, Any]], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        corrected(transcript, *changes)

    transcript.refresh_from_db()
    assert transcript.text == "so it was said"
    assert not DocumentVersion.objects.exists()
    assert not Job.objects.exists()


def test_what_was_corrected_since_is_not_overwritten(transcript: Transcript) -> None:
    corrected(transcript, change(0, "and it"))

    with pytest.raises(Outdated, match=r"change version 1 .* at version 2 by now"):
        corrected(transcript, change(0, "yet it"))

    transcript.refresh_from_db()
    assert transcript.text == "and it was said"


def test_nothing_is_corrected_while_a_run_goes_on(transcript: Transcript) -> None:
    ProcessingTaskFactory.create(transcript=transcript, processing=True)

    with pytest.raises(NotFinished, match="PROCESSING"):
        corrected(transcript, change(0, "and it"))


def test_nothing_is_corrected_before_there_is_something() -> None:
    with pytest.raises(NotFinished, match="FAILED"):
        corrected(TranscriptFactory.create(failed=True), change(0, "and it"))


# History


def test_what_was_said_before_is_kept(transcript: Transcript, admin_user: User) -> None:
    before = transcript.segments

    document = correct_transcript(
        transcript=transcript,
        changes=[change(0, "and it")],
        expected_version=1,
        note="misheard",
        by=admin_user,
    )

    version = document.versions.get()
    assert (version.number, version.text, version.segments) == (1, "so it was said", before)
    assert (version.note, version.replaced_by) == ("misheard", admin_user)


def test_a_version_can_be_had_back_as_the_next_one(transcript: Transcript) -> None:
    before = transcript.segments
    corrected(transcript, change(1, "were said"))

    document = revert_to(DocumentVersion.objects.get(number=1), expected_version=2)

    transcript.refresh_from_db()
    assert (transcript.segments, transcript.text) == (before, "so it was said")
    assert document.version == 3
    assert [v.note for v in document.versions.all()] == ["back to version 1", "names"]


def test_a_version_is_not_had_back_over_what_was_corrected_since(transcript: Transcript) -> None:
    corrected(transcript, change(1, "were said"))

    with pytest.raises(Outdated):
        revert_to(DocumentVersion.objects.get(number=1), expected_version=1)


def test_a_transcript_of_before_there_were_documents_gets_one() -> None:
    transcript = TranscriptFactory.create(completed=True)

    document = corrected(transcript, change(0, "and it"))

    assert (document.transcript, document.version) == (transcript, 2)


# What follows


def test_the_index_follows(transcript: Transcript) -> None:
    document = corrected(transcript, change(0, "and it"))

    assert Job.objects.about(document.pk).get().job_type == INDEXING_JOB


def test_translations_are_made_anew_and_those_under_way_are_stopped(
    transcript: Transcript, django_capture_on_commit_callbacks: Any
) -> None:
    document = transcript.document
    done = TranslationFactory.create(document=document, completed=True)
    under_way = TranslationFactory.create(document=document, language="fr", begun=True)
    TranslationFactory.create(document=document, language="es", failed=True)

    with django_capture_on_commit_callbacks(execute=True):
        corrected(transcript, change(0, "and it"))

    done.refresh_from_db()
    under_way.refresh_from_db()
    assert (done.status, under_way.status) == (ResultStatus.COMPLETED, ResultStatus.CANCELLED)
    anew = Translation.objects.filter(document_version=2).order_by("language")
    assert [(each.language, each.status) for each in anew] == [
        ("de", ResultStatus.PENDING),
        ("fr", ResultStatus.PENDING),
    ]


def test_a_summary_is_made_anew(transcript: Transcript) -> None:
    Summary.objects.create(
        workspace=transcript.workspace,
        document=transcript.document,
        status=ResultStatus.COMPLETED,
        completed_at=transcript.created_at,
        text="It was said.",
    )

    corrected(transcript, change(0, "and it"))

    assert Summary.objects.get(document_version=2).status == ResultStatus.PENDING
    assert Job.objects.filter(job_type=SUMMARIZATION_JOB).count() == 1


def test_what_nobody_makes_any_more_keeps_no_correction_from_being_made(
    transcript: Transcript, settings: Settings
) -> None:
    settings.TRANSLATOR = None
    TranslationFactory.create(document=transcript.document, completed=True)

    assert corrected(transcript, change(0, "and it")).version == 2
    assert not Translation.objects.active().exists()


def test_what_was_cached_of_the_transcript_is_gone(transcript: Transcript) -> None:
    get_cache().set("made", "of it", tags=[f"transcript:{transcript.pk}"])

    corrected(transcript, change(0, "and it"))

    assert get_cache().get("made") is None


# More is heard


def test_a_version_is_had_back_with_what_was_heard_since() -> None:
    transcript = TranscriptFactory.create(partial=True)
    corrected(transcript, change(0, "and it"))
    transcript.segments.append(heard_segment(1.1, "was", "said"))
    Transcript.objects.filter(pk=transcript.pk).update(segments=transcript.segments, gaps=[])

    revert_to(DocumentVersion.objects.get(number=1), expected_version=2)

    transcript.refresh_from_db()
    assert (transcript.text, transcript.gaps) == ("so it was said", [])


def test_a_version_knows_the_gaps_that_there_were() -> None:
    transcript = TranscriptFactory.create(partial=True)

    document = corrected(transcript, change(0, "and it"))

    assert document.versions.get().gaps == transcript.gaps != []
