"""Summaries by a chat engine that fails, refuses or talks nonsense: nothing is lost in silence."""

from collections.abc import Sequence

import pytest
from django.db.models.functions import Now
from pytest_django import Settings

from jobs.choices import JobStatus
from jobs.exceptions import Postponed
from jobs.models import Job
from processing.choices import SUMMARIZATION_QUEUE, ResultStatus
from processing.exceptions import (
    BadAnswer,
    ProviderRefused,
    ProviderTooLarge,
    ProviderUnauthorized,
    ProviderUnavailable,
)
from processing.knowledge.summarizing.map_reduce import TooMuchMissing
from processing.knowledge.summarizing.summaries import (
    request_summary,
    uncovered,
)
from processing.text_engines.base import Message
from tests.factories.processing import WorkspaceFactory
from tests.fakes.text import FakeChat
from tests.knowledge.summarizing import (
    PARAGRAPHS,
    is_about,
    job_of,
    made,
    summary_of,
    written,
)
from tests.processing.runs import drain
from tests.providers.server import Reply, answering, refusing
from tests.providers.text_server import never, saying, text_serving

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def chat(settings: Settings) -> FakeChat:
    settings.CHAT = FakeChat(summary_of, context_tokens=1_000)
    return settings.CHAT  # type: ignore[no-any-return]


class TestTrouble:
    def test_a_second_attempt_asks_only_for_what_is_missing(self, chat: FakeChat) -> None:
        """As after a kill: what the first attempt has written is in the cache."""

        def away(messages: Sequence[Message]) -> str:
            if is_about(60, messages):
                raise ProviderUnavailable("away")
            return summary_of(messages)

        chat.script = away
        summary = request_summary(document=written())
        with pytest.raises(ProviderUnavailable):
            made(summary)
        first = len(chat.asked) - 1
        chat.script = summary_of

        made(summary)

        parts = sum("Paragraph" in messages[-1].content for messages in chat.asked) - 1
        assert first > 0
        assert parts == len(summary.coverage)
        assert summary.text == "About number00 to number99."

    def test_another_document_with_the_same_text_is_not_asked_for_again(
        self, chat: FakeChat
    ) -> None:
        made(request_summary(document=written()))
        count = len(chat.asked)

        made(request_summary(document=written(sha256="1" * 64)))

        assert len(chat.asked) == count

    def test_another_workspace_has_summaries_of_its_own(self, chat: FakeChat) -> None:
        made(request_summary(document=written()))
        count = len(chat.asked)

        made(request_summary(document=written(workspace=WorkspaceFactory.create())))

        assert len(chat.asked) == 2 * count

    @pytest.mark.parametrize(
        "nonsense",
        ["", "{}", "<html>busy</html>", "the same " * 300, "I'm sorry, but I can't.", "w " * 4_000],
        ids=["empty", "JSON", "HTML", "loop", "refusal", "too long"],
    )
    def test_nonsense_is_asked_for_twice_and_then_with_the_job_again(
        self, chat: FakeChat, nonsense: str
    ) -> None:
        chat.script = lambda messages: nonsense if is_about(60, messages) else summary_of(messages)
        summary = request_summary(document=written())

        with pytest.raises(BadAnswer):
            made(summary, is_last_attempt=False)

        summary.refresh_from_db()
        about = [messages for messages in chat.asked if is_about(60, messages)]
        others = [messages for messages in chat.asked if is_about(99, messages)]
        assert (len(about), len(others)) == (2, 1)
        assert summary.status == ResultStatus.PROCESSING

    def test_a_second_reply_that_is_right_is_taken(self, chat: FakeChat) -> None:
        replies = iter(["{}", "It is about ten things."])
        chat.script = lambda messages: next(replies)

        summary = made(request_summary(document=written(PARAGRAPHS[:10])))

        assert summary.text == "It is about ten things."

    @pytest.mark.parametrize(
        "error",
        [BadAnswer("nonsense"), ProviderRefused("declined"), ProviderTooLarge("overflow")],
        ids=["nonsense", "refused", "too large"],
    )
    def test_in_the_end_a_part_that_fails_is_a_gap_of_the_coverage(
        self, chat: FakeChat, error: Exception
    ) -> None:
        def failing(messages: Sequence[Message]) -> str:
            if is_about(60, messages):
                raise error
            return summary_of(messages)

        chat.script = failing
        document = written()

        summary = made(request_summary(document=document))

        [(start, end)] = uncovered(summary)
        assert summary.status == ResultStatus.COMPLETED
        assert summary.text == "About number00 to number99."
        assert "number60" in document.text[int(start) : int(end)]
        assert end - start < len(document.text) / 3

    def test_a_model_that_counts_more_tokens_is_given_less(self, chat: FakeChat) -> None:
        def narrow(messages: Sequence[Message]) -> str:
            if len(messages[-1].content) > 700:
                raise ProviderTooLarge("overflow")
            return summary_of(messages)

        chat.script = narrow

        summary = made(request_summary(document=written()))

        assert uncovered(summary) == []
        assert summary.text == "About number00 to number99."

    def test_with_more_than_half_missing_it_fails(self, chat: FakeChat) -> None:
        def refusing(messages: Sequence[Message]) -> str:
            if not is_about(0, messages):
                raise ProviderRefused("declined")
            return summary_of(messages)

        chat.script = refusing

        with pytest.raises(TooMuchMissing, match="declined"):
            made(request_summary(document=written()))

    def test_when_summaries_cannot_be_joined_all_of_them_are_the_text(self, chat: FakeChat) -> None:
        def mute(messages: Sequence[Message]) -> str:
            return summary_of(messages) if "Paragraph" in messages[-1].content else "{}"

        chat.script = mute

        summary = made(request_summary(document=written()))

        assert summary.text.startswith("About number00 to")
        assert summary.text.endswith("number99.")
        assert summary.text.count("About") == len(summary.coverage)

    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (ProviderUnavailable("away"), JobStatus.SCHEDULED),
            (Postponed("later", seconds=60), JobStatus.SCHEDULED),
            (ProviderUnauthorized("wrong key"), JobStatus.FAILED),
        ],
        ids=["away", "postponed", "key"],
    )
    @pytest.mark.django_db(transaction=True)
    def test_what_is_wrong_with_the_engine_is_the_job_s(
        self, chat: FakeChat, error: Exception, status: JobStatus
    ) -> None:
        def failing(messages: Sequence[Message]) -> str:
            raise error

        chat.script = failing
        summary = request_summary(document=written())

        drain(SUMMARIZATION_QUEUE)

        summary.refresh_from_db()
        assert job_of(summary).status == status
        assert (summary.status == ResultStatus.FAILED) is (status == JobStatus.FAILED)

    @pytest.mark.django_db(transaction=True)
    def test_an_engine_that_stays_away_fails_it_with_the_reason(self, chat: FakeChat) -> None:
        def away(messages: Sequence[Message]) -> str:
            raise ProviderUnavailable("nobody answers")

        chat.script = away
        summary = request_summary(document=written())
        Job.objects.update(max_attempts=1)

        drain(SUMMARIZATION_QUEUE)

        summary.refresh_from_db()
        assert (summary.status, summary.error_code) == (ResultStatus.FAILED, "provider_unavailable")
        assert summary.error_message == "nobody answers"


class TestServer:
    """The same over sockets: what a real server can do to a job."""

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize(
        ("reply", "code"),
        [
            (answering("<html>Bad gateway</html>"), "bad_answer"),
            (answering("nonsense"), "bad_answer"),
            (answering(b" " * (17 * 2**20)), "bad_answer"),
            (saying("word " * 3_000), "bad_answer"),
            (refusing(429), "provider_busy"),
            (never(), "provider_unavailable"),
        ],
        ids=["HTML", "nonsense", "endless", "too long", "busy", "never"],
    )
    def test_the_job_is_retried_and_succeeds_when_it_passes(
        self, settings: Settings, reply: Reply, code: str
    ) -> None:
        with text_serving() as server:
            server.script = summary_of
            settings.CHAT = server.chat_settings(TIMEOUT_SECONDS=0.5)
            server.will(reply, reply)
            summary = request_summary(document=written(PARAGRAPHS[:10]))

            drain(SUMMARIZATION_QUEUE)
            failed = job_of(summary)
            Job.objects.update(available_at=Now())
            Job.objects.promote()
            server.serve()
            server.provider.forget()
            drain(SUMMARIZATION_QUEUE)

        summary.refresh_from_db()
        assert (failed.status, failed.error_code) == (JobStatus.SCHEDULED, code)
        assert (summary.status, summary.text) == (
            ResultStatus.COMPLETED,
            "About number00 to number09.",
        )
