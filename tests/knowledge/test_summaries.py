"""Summaries: asked for once, made by a worker, stopped, and made of sentences without a model."""

from collections.abc import Sequence
from typing import Any

import pytest
from pytest_django import Settings

from jobs.choices import JobStatus
from jobs.models import Job
from processing.choices import SUMMARIZATION_JOB, SUMMARIZATION_QUEUE, ResultStatus
from processing.exceptions import (
    AlreadyOver,
    NotFinished,
    NothingToDo,
)
from processing.knowledge.summarizing.summaries import (
    EXTRACTIVE,
    cancel_summary,
    request_summary,
    retry_summary,
    summarize,
    uncovered,
)
from processing.models import Document, Summary
from processing.text_engines.base import Message
from tests.factories.knowledge import DocumentFactory, SummaryFactory
from tests.fakes.text import FakeChat
from tests.knowledge.summarizing import PARAGRAPHS, SHORT, job_of, made, spoken, summary_of, written

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def chat(settings: Settings) -> FakeChat:
    settings.CHAT = FakeChat(summary_of, context_tokens=1_000)
    return settings.CHAT  # type: ignore[no-any-return]


class TestAsking:
    def test_a_summary_is_stored_and_queued(self) -> None:
        document = written()

        summary = request_summary(document=document)

        job = job_of(summary)
        assert (summary.status, summary.document_version) == (ResultStatus.PENDING, 1)
        assert (job.job_type, job.queue_name) == (SUMMARIZATION_JOB, SUMMARIZATION_QUEUE)
        assert (job.subject_id, job.workspace_id) == (document.pk, document.workspace_id)

    def test_an_equal_request_is_answered_by_the_summary_under_way(self) -> None:
        document = written()

        assert request_summary(document=document) == request_summary(document=document)
        assert Job.objects.count() == 1

    @pytest.mark.parametrize("paragraphs", [PARAGRAPHS, SHORT], ids=["long", "short"])
    def test_an_equal_request_is_answered_by_the_summary_that_is_there(
        self, paragraphs: list[str]
    ) -> None:
        document = written(paragraphs)
        first = made(request_summary(document=document))

        assert request_summary(document=document) == first

    def test_it_is_made_anew_for_who_says_so(self) -> None:
        document = written()
        first = made(request_summary(document=document))

        assert request_summary(document=document, anew=True) != first

    def test_another_engine_makes_another_summary(self, settings: Settings) -> None:
        document = written()
        first = made(request_summary(document=document))
        settings.CHAT = None

        assert request_summary(document=document) != first

    def test_a_correction_replaces_the_summary_under_way(
        self, django_capture_on_commit_callbacks: Any
    ) -> None:
        document = written()
        old = request_summary(document=document)
        Document.objects.filter(pk=document.pk).update(version=2)

        with django_capture_on_commit_callbacks(execute=True):
            new = request_summary(document=document)

        old.refresh_from_db()
        assert (old.status, new.status) == (ResultStatus.CANCELLED, ResultStatus.PENDING)
        assert new.document_version == 2
        assert job_of(old).status == JobStatus.CANCELLED

    def test_a_failed_summary_is_no_answer(self) -> None:
        document = written()
        failed = SummaryFactory.create(failed=True, document=document)

        assert request_summary(document=document) != failed

    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            ({"text": "", "upload": True}, NotFinished),
            ({"text": ""}, NothingToDo),
        ],
        ids=["not read yet", "blank"],
    )
    def test_a_document_without_text_is_refused(
        self, fields: dict[str, Any], error: type[Exception]
    ) -> None:
        document = DocumentFactory.create(**fields)

        with pytest.raises(error):
            request_summary(document=document)

        assert not Summary.objects.exists()


class TestRetrying:
    def test_a_summary_that_failed_is_made_after_all(self) -> None:
        summary = SummaryFactory.create(failed=True, document=written())

        again = retry_summary(summary)

        assert (again.pk, again.status) == (summary.pk, ResultStatus.PENDING)
        assert made(again).status == ResultStatus.COMPLETED

    def test_of_a_corrected_document_another_is_made(self) -> None:
        summary = SummaryFactory.create(
            failed=True, document=written(version=2), document_version=1
        )

        assert retry_summary(summary).document_version == 2

    def test_one_that_was_made_meanwhile_is_the_answer(self) -> None:
        document = written()
        failed = SummaryFactory.create(failed=True, document=document)
        active = request_summary(document=document)

        assert retry_summary(failed) == active

    @pytest.mark.parametrize("trait", ["begun", "completed"])
    def test_what_did_not_fail_is_not_retried(self, trait: str) -> None:
        with pytest.raises(AlreadyOver):
            retry_summary(SummaryFactory.create(**{trait: True}))


class TestStopping:
    def test_a_cancelled_summary_is_not_gone_on_with(self, chat: FakeChat) -> None:
        summary = request_summary(document=written())

        def cancelling(messages: Sequence[Message]) -> str:
            cancel_summary(summary)
            return summary_of(messages)

        chat.script = cancelling

        made(summary)

        assert summary.status == ResultStatus.CANCELLED
        assert len(chat.asked) == 1

    @pytest.mark.parametrize("trait", ["completed", "failed", "cancelled"])
    def test_a_summary_that_is_over_is_left_alone(self, chat: FakeChat, trait: str) -> None:
        summary = request_summary(document=written())
        job = job_of(summary)
        summary.delete()
        over = SummaryFactory.create(**{trait: True})
        job.payload["result_id"] = str(over.pk)

        summarize(job)

        assert chat.asked == []

    def test_a_document_that_was_deleted_is_no_error(self, chat: FakeChat) -> None:
        summary = request_summary(document=written())
        job = job_of(summary)
        summary.document.delete()

        summarize(job)

        assert chat.asked == []

    def test_a_document_that_was_corrected_is_summarised_anew(self) -> None:
        document = written()
        old = request_summary(document=document)
        Document.objects.filter(pk=document.pk).update(version=2)

        made(old)

        new = Summary.objects.of_document(document).active().get()
        assert (old.status, new.document_version) == (ResultStatus.CANCELLED, 2)
        assert made(new).status == ResultStatus.COMPLETED

    def test_done_twice_it_changes_nothing(self, chat: FakeChat) -> None:
        summary = request_summary(document=written())
        job = job_of(summary)
        summarize(job)
        count = len(chat.asked)

        summarize(job)

        assert len(chat.asked) == count


class TestWithoutChatEngine:
    @pytest.fixture(autouse=True)
    def chat(self, settings: Settings) -> None:
        settings.CHAT = None

    def test_it_is_made_of_sentences_of_the_document(self) -> None:
        summary = made(request_summary(document=written()))

        lines = summary.text.split("\n")
        assert set(lines) <= set(PARAGRAPHS)
        assert 2 < len(lines) < 60
        assert (summary.engine, summary.is_extractive) == (EXTRACTIVE, True)
        assert uncovered(summary) == []
        assert summary.key_phrases

    def test_what_was_spoken_is_taken_by_segments(self) -> None:
        document = spoken(100)

        summary = made(request_summary(document=document))

        assert document.transcript is not None
        said = {segment["text"] for segment in document.transcript.segments}
        assert set(summary.text.split("\n")) <= said
        assert summary.coverage[0]["start"] == 0
