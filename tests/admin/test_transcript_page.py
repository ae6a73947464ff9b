"""The page of a transcript: its words and what is marked of them, page by page, and its verbs."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from processing.admin.marks import DOUBT, MARKS, is_doubt
from processing.admin.outline import WORDS_PER_PAGE, Outline, TextPage
from processing.admin.transcript_lines import segment_line
from processing.admin.transcript_page import seconds_of
from processing.choices import ProcessingStatus, Role
from processing.knowledge.corrections import correct_transcript
from processing.models import Membership, Question, Transcript, Workspace
from processing.services.merging.merger import Merged
from tests.factories.knowledge import (
    DocumentFactory,
    QuestionFactory,
    SummaryFactory,
    TranslationFactory,
)
from tests.factories.processing import (
    ChunkTaskFactory,
    ProcessingTaskFactory,
    TranscriptFactory,
    WorkspaceFactory,
    heard_segment,
)
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

SEAM = {
    "at": 60.0,
    "left_chunk": 0,
    "right_chunk": 1,
    "method": "alignment",
    "matched": 2,
    "left": ["so"],
    "right": ["so"],
    "kept": ["so"],
}


def address(transcript: Transcript, name: str = "change") -> str:
    return reverse(f"admin:processing_transcript_{name}", args=[transcript.pk])


def page_of(client: Client, transcript: Transcript, **query: Any) -> str:
    return client.get(address(transcript), query).content.decode()


def long_segment(start: float, first_word: str = "so") -> dict[str, Any]:
    """Return a segment that fills a page."""
    return heard_segment(start, first_word, *["word"] * (WORDS_PER_PAGE - 1))


def of_three_pages() -> Transcript:
    """Return a transcript of three pages; the last has an unsure word, the second a gap."""
    last = long_segment(2000.0, "third")
    last["words"][0]["confidence"] = 0.2
    transcript: Transcript = TranscriptFactory.create(
        completed=True,
        segments=[long_segment(0.0, "first"), long_segment(1000.0, "second"), last],
        gaps=[{"start": 1700.0, "end": 1701.0, "reason": "error"}],
        seams=[SEAM],
    )
    return transcript


# Words and marks


def line(**segment: Any) -> str:
    return str(segment_line(3, heard_segment(61.0, "so", "it") | segment))


def words(**first: Any) -> list[dict[str, Any]]:
    segment: dict[str, Any] = heard_segment(61.0, "so", "it")
    segment["words"][0] |= first
    return list(segment["words"])


def test_every_word_says_when_it_was_said() -> None:
    shown = line()

    assert (
        '<span class="word" data-start="61.0" data-end="61.15">so</span> '
        '<span class="word" data-start="61.2" data-end="61.35">it</span>'
    ) in shown
    assert 'id="segment-3" data-index="3" data-start="61.0" data-end="61.35"' in shown


def test_words_of_scripts_without_spaces_stand_together() -> None:
    shown = str(segment_line(0, heard_segment(0.0, "你", "好")))

    assert '你</span><span class="word"' in shown


@pytest.mark.parametrize(
    ("word", "marked"),
    [
        pytest.param({"confidence": 0.49}, 'class="word unsure"', id="unsure"),
        pytest.param({"is_corrected": True}, 'class="word corrected"', id="corrected"),
        pytest.param({"is_cut": True}, 'class="word cut"', id="cut"),
    ],
)
def test_a_word_is_marked_for_what_it_is(word: dict[str, Any], marked: str) -> None:
    assert marked in line(words=words(**word))


@pytest.mark.parametrize("confidence", [0.5, None])
def test_a_word_that_is_as_likely_right_or_unknown_is_not_marked(confidence: float | None) -> None:
    assert 'class="word"' in line(words=words(confidence=confidence))
    assert "unsure" not in line(words=words(confidence=confidence))


def test_an_unsure_word_says_how_sure_the_engine_was() -> None:
    assert 'title="23% sure"' in line(words=words(confidence=0.234))


def test_a_segment_without_words_of_its_own_is_shown_by_its_text() -> None:
    bare = {"start": 0.0, "end": 2.0, "text": "so it"}

    assert '<span class="word" data-start="0.0"' in segment_line(0, bare)


def test_a_seam_stands_before_the_first_word_after_it(admin_client: Client) -> None:
    segments = [heard_segment(59.9, "so", "it")]
    transcript = TranscriptFactory.create(completed=True, segments=segments, seams=[SEAM])

    page = page_of(admin_client, transcript)

    assert "Chunks 0 and 1 were joined here, at 1:00: by alignment, 2 words alike" in page
    assert page.index(">so</span>") < page.index("⋈</span><span") < page.index(">it</span>")


def test_the_legend_says_what_each_mark_means_and_how_many_there_are(admin_client: Client) -> None:
    doubted = heard_segment(61.0, "so", "it") | {
        "words": words(confidence=0.1),
        "flags": ["loop", "unheard_of"],
        "is_estimated": True,
    }
    transcript = TranscriptFactory.create(partial=True, segments=[doubted], seams=[SEAM])

    legend = admin_client.get(address(transcript)).context["legend"]

    assert [(row["mark"].name, row["count"]) for row in legend] == [
        ("gap", 1),
        ("unsure", 1),
        ("loop", 1),
        ("seam", 1),
        ("estimated", 1),
        ("unheard_of", 1),
    ]
    assert all(row["mark"].meaning for row in legend)


def test_seams_and_what_people_wrote_are_no_doubts() -> None:
    assert {name for name in MARKS if not is_doubt(name)} == {
        "seam",
        "estimated",
        "corrected",
        "pending",
    }


# Page by page


def test_a_long_text_is_shown_a_page_at_a_time(admin_client: Client) -> None:
    transcript = of_three_pages()

    shown = {at: page_of(admin_client, transcript, at=at) for at in ("0", "1000", "2001.5")}

    found = {at: [w for w in ("first", "second", "third") if f">{w}<" in shown[at]] for at in shown}
    assert found == {"0": ["first"], "1000": ["second"], "2001.5": ["third"]}
    assert "page 2 of 3" in shown["1000"]
    assert 'href="?at=0.0#text" rel="prev"' in shown["1000"]
    assert 'href="?at=2000.0#text" rel="next"' in shown["1000"]


def test_gaps_and_seams_are_on_the_page_of_their_time(admin_client: Client) -> None:
    transcript = of_three_pages()

    pages = [page_of(admin_client, transcript, at=at) for at in (0, 1000, 2000)]

    assert ["nothing heard: error" in page for page in pages] == [False, True, False]
    assert ['<details class="seams">' in page for page in pages] == [True, False, False]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 0.0),
        ("61.5", 61.5),
        ("1:01", 61.0),
        ("1:00:01", 3601.0),
        ("-5", 0.0),
        ("nan", 0.0),
        ("1e999", 0.0),
        ("<b>", 0.0),
    ],
)
def test_a_time_is_read_as_it_is_shown_or_in_seconds(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


def test_a_page_of_the_text_is_had_by_itself(admin_client: Client) -> None:
    response = admin_client.get(address(of_three_pages(), "text"), {"at": 1000})

    page = response.content.decode()
    assert response.status_code == 200
    assert page.lstrip().startswith('<div id="text"')
    assert "data-segments=" in page
    assert ">second</span>" in page


@pytest.mark.parametrize(
    ("query", "word"),
    [
        pytest.param({"at": 0, "mark": DOUBT}, "second", id="any doubt"),
        pytest.param({"at": 0, "mark": "unsure"}, "third", id="one mark"),
        pytest.param({"at": 2000, "mark": "seam", "back": 1}, "first", id="before"),
    ],
)
def test_the_next_page_with_a_mark_is_found(
    admin_client: Client, query: dict[str, Any], word: str
) -> None:
    page = admin_client.get(address(of_three_pages(), "text"), query).content.decode()

    assert f">{word}</span>" in page


def test_there_is_no_page_after_the_last_mark(admin_client: Client) -> None:
    response = admin_client.get(address(of_three_pages(), "text"), {"at": "2000", "mark": "unsure"})

    assert (response.status_code, response.content) == (204, b"")


def test_an_outline_has_whole_segments_on_each_page() -> None:
    segments = [heard_segment(float(start), "so", "it") for start in range(WORDS_PER_PAGE)]

    pages = Outline.of(Merged(segments)).pages

    half = WORDS_PER_PAGE // 2
    assert pages == [TextPage(0, half, 0.0, {}), TextPage(half, 2 * half, float(half), {})]


def test_an_outline_of_nothing_is_one_page() -> None:
    assert Outline.of(Merged()).pages == [TextPage()]


def test_words_that_are_not_shown_do_not_leave_the_database(admin_client: Client) -> None:
    transcript = of_three_pages()
    page_of(admin_client, transcript)

    again = queries_of(lambda: page_of(admin_client, transcript, at=1000))

    reading = [sql for sql in again if '"segments"' in sql]
    assert len(reading) == 1
    assert reading[0].count('"segments"') == 1
    assert 'jsonb_path_query_array("transcripts"."segments"' in reading[0]


def test_a_page_asks_the_database_as_often_for_much_as_for_little(admin_client: Client) -> None:
    def grow(count: int) -> Iterator[Any]:
        for _ in range(count):
            yield TranscriptFactory.create(recording=transcript.recording, completed=True)
            yield TranslationFactory.create(document=document, completed=True)
            yield QuestionFactory.create(filters={"documents": [str(document.pk)]}, completed=True)
            correct_transcript(
                transcript=transcript,
                changes=[{"segment": 0, "text": f"corrected {document.versions.count()}"}],
                expected_version=1 + document.versions.count(),
            )

    transcript = TranscriptFactory.create(partial=True)
    document = DocumentFactory.create(transcript=transcript)
    SummaryFactory.create(document=document, completed=True)
    list(grow(1))
    page_of(admin_client, transcript)
    few = queries_of(lambda: page_of(admin_client, transcript))

    list(grow(4))
    page_of(admin_client, transcript)
    many = queries_of(lambda: page_of(admin_client, transcript))

    assert len(many) == len(few)


def test_a_run_that_goes_on_shows_no_editor(admin_client: Client) -> None:
    run = ChunkTaskFactory.create().processing

    page = page_of(admin_client, run.transcript)

    assert "data-segments" not in page
    assert '<p class="pending"' in page


# Around the text


def test_the_head_says_what_it_is_and_leads_to_the_others(admin_client: Client) -> None:
    transcript = TranscriptFactory.create(completed=True)
    other = TranscriptFactory.create(recording=transcript.recording, failed=True, engine="other")

    page = page_of(admin_client, transcript)

    assert f'<a href="{address(other)}">other, en</a>' in page
    assert reverse("admin:processing_recording_change", args=[transcript.recording_id]) in page
    assert "<dd>0:02</dd>" in page


def test_a_failed_transcript_says_why(admin_client: Client) -> None:
    page = page_of(admin_client, TranscriptFactory.create(failed=True))

    assert "unreadable_audio: the file holds no sound that can be decoded" in page


def test_a_run_is_cancelled_from_the_page(admin_client: Client) -> None:
    run = ProcessingTaskFactory.create(processing=True)

    page = admin_client.post(address(run.transcript, "cancel"), follow=True).content.decode()

    run.refresh_from_db()
    assert run.status == ProcessingStatus.CANCELLED
    assert "The transcription was cancelled" in page


def test_what_is_over_is_not_cancelled(admin_client: Client) -> None:
    transcript = TranscriptFactory.create(completed=True)

    page = admin_client.post(address(transcript, "cancel"), follow=True).content.decode()

    assert "Nothing to do: it was over already." in page


@pytest.fixture
def heard() -> Transcript:
    transcript: Transcript = TranscriptFactory.create(completed=True)
    DocumentFactory.create(transcript=transcript)
    return transcript


def again(client: Client, transcript: Transcript, **fields: str) -> Any:
    asked = {"engine": "scripted", "language": "de", "channels": "mixed"} | fields
    data = {f"again-{name}": value for name, value in asked.items()}
    return client.post(address(transcript, "again"), data)


def test_a_recording_is_transcribed_again_in_another_language(
    admin_client: Client, heard: Transcript
) -> None:
    response = again(admin_client, heard)

    other = heard.recording.transcripts.exclude(pk=heard.pk).get()
    assert (other.engine, other.language) == ("scripted", "de")
    assert response.headers["Location"] == address(other)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        pytest.param({"language": "xx"}, "language", id="language"),
        pytest.param({"engine": "nobody"}, "engine", id="engine"),
        pytest.param({"channels": "some"}, "channels", id="channels"),
    ],
)
def test_what_cannot_be_transcribed_again_is_refused_at_its_field(
    admin_client: Client, heard: Transcript, fields: dict[str, str], field: str
) -> None:
    response = again(admin_client, heard, **fields)

    assert response.status_code == 200
    assert list(response.context["again_form"].errors) == [field]
    assert heard.recording.transcripts.count() == 1


def test_a_question_is_asked_of_this_recording_alone(
    admin_client: Client, heard: Transcript
) -> None:
    response = admin_client.post(address(heard, "ask"), {"text": "What was said?"})

    question = Question.objects.get()
    assert question.filters == {"documents": [str(heard.document.pk)]}
    assert response.headers["Location"].endswith(f"/question/{question.pk}/change/")
    assert "What was said?" in page_of(admin_client, heard)


def test_no_question_is_no_question(admin_client: Client, heard: Transcript) -> None:
    page = admin_client.post(address(heard, "ask"), {"text": " "}, follow=True).content.decode()

    assert "the question has no word that could be looked for" in page
    assert not Question.objects.exists()


def test_a_summary_is_asked_for_and_shown_where_it_was(
    admin_client: Client, heard: Transcript
) -> None:
    made = reverse("admin:processing_document_summarise", args=[heard.document.pk])

    response = admin_client.post(made, {"from_transcript": "1"})

    assert response.headers["Location"] == address(heard)
    assert "data-is-being-made" in page_of(admin_client, heard)


def test_what_is_made_of_it_is_had_by_itself(admin_client: Client, heard: Transcript) -> None:
    SummaryFactory.create(document=heard.document, completed=True, text="In short.")
    TranslationFactory.create(document=heard.document, completed=True, language="de")

    page = admin_client.get(address(heard, "results")).content.decode()

    assert "<p>In short.</p>" in page
    assert "de, side by side" in page
    assert "data-is-being-made" not in page


def test_it_says_again_what_it_said_in_a_version(admin_client: Client, heard: Transcript) -> None:
    before = heard.segments
    changes = [{"segment": 0, "text": "corrected"}]
    correct_transcript(transcript=heard, changes=changes, expected_version=1)

    fields = {"number": "1", "version": "2"}
    page = admin_client.post(address(heard, "revert"), fields, follow=True).content.decode()

    heard.refresh_from_db()
    assert heard.segments == before
    assert "It says again what it said in version 1: version 3." in page


@pytest.mark.parametrize("number", ["7", "", "x"])
def test_there_is_no_going_back_to_what_never_was(
    admin_client: Client, heard: Transcript, number: str
) -> None:
    fields = {"number": number, "version": "1"}

    page = admin_client.post(address(heard, "revert"), fields, follow=True).content.decode()

    assert "Nothing to do: there is no such version." in page


# Who may


def staff(name: str, role: Role, workspace: Workspace) -> Client:
    user = User.objects.create_user(name, is_staff=True)
    Membership.objects.create(workspace=workspace, user=user, role=role)
    client = Client()
    client.force_login(user)
    return client


VERBS = ["retry", "cancel", "revert", "again"]


@pytest.mark.parametrize("verb", [*VERBS, "ask"])
def test_who_may_only_look_does_nothing(heard: Transcript, verb: str) -> None:
    client = staff("viewer", Role.VIEWER, heard.workspace)

    assert client.post(address(heard, verb), {"text": "What?"}).status_code == 403
    assert not Question.objects.exists()


def test_who_may_only_look_sees_the_text_and_no_buttons(heard: Transcript) -> None:
    page = page_of(staff("viewer", Role.VIEWER, heard.workspace), heard)

    assert ">so</span>" in page
    assert [verb for verb in VERBS if f'action="{address(heard, verb)}"' in page] == []


@pytest.mark.parametrize("verb", [*VERBS, "ask"])
def test_nothing_is_done_to_what_others_have(heard: Transcript, verb: str) -> None:
    client = staff("other", Role.MANAGER, WorkspaceFactory.create())

    assert client.post(address(heard, verb), {"text": "What?"}).status_code == 404


@pytest.mark.parametrize("name", ["text", "results"])
def test_nothing_is_shown_of_what_others_have(heard: Transcript, name: str) -> None:
    client = staff("other", Role.MANAGER, WorkspaceFactory.create())

    assert client.get(address(heard, name)).status_code == 404


@pytest.mark.parametrize("verb", ["retry", "cancel", "revert", "ask"])
def test_a_verb_is_not_done_by_looking(admin_client: Client, heard: Transcript, verb: str) -> None:
    assert admin_client.get(address(heard, verb)).status_code == 405
