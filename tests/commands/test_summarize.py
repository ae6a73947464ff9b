"""``manage.py summarize`` as its users call it."""

import io
from contextlib import redirect_stderr
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django import Settings

from processing.choices import ResultStatus
from processing.models import Document, Summary
from tests.factories.knowledge import DocumentFactory, SummaryFactory
from tests.factories.processing import WorkspaceFactory
from tests.fakes.text import FakeChat
from tests.processes import manage, processes_of_this_test

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "\n\n".join(f"Paragraph {number} says that the river is long." for number in range(9))


@dataclass
class Ended:
    stdout: str
    stderr: str
    code: Any


@pytest.fixture(autouse=True)
def _chat(settings: Settings) -> None:
    settings.CHAT = FakeChat()


def summarize(*arguments: Any) -> Ended:
    """Run the command in this process, where nothing has to be waited for."""
    stdout, stderr, code = io.StringIO(), io.StringIO(), 0
    with redirect_stderr(stderr):
        try:
            call_command("summarize", *map(str, arguments), stdout=stdout, stderr=stderr)
        except SystemExit as exit:
            code = exit.code  # type: ignore[assignment]
        except CommandError as error:
            stderr.write(str(error))
            code = error.returncode
    return Ended(stdout.getvalue(), stderr.getvalue(), code)


def written(**fields: Any) -> Document:
    document: Document = DocumentFactory.create(**{"text": TEXT} | fields)
    return document


def test_a_worker_writes_it_while_the_command_waits() -> None:
    document = written(text="The river rises in the hills.\n\nIt meets the sea.")

    done = manage("summarize", str(document.pk), "--wait")

    assert done.returncode == 0
    assert done.stdout == "The river rises in the hills.\nIt meets the sea.\n"
    assert "No worker is running; starting some" in done.stderr
    assert processes_of_this_test() == []


def test_it_is_queued_and_its_id_printed() -> None:
    document = written()

    ended = summarize(document.pk)

    summary = Summary.objects.get()
    assert (ended.stdout, ended.code) == (f"{summary.pk}\n", 0)
    assert (summary.document, summary.status) == (document, ResultStatus.PENDING)


def test_a_transcript_is_as_good_as_its_document() -> None:
    document = DocumentFactory.create(spoken=True)

    assert summarize(document.transcript_id).code == 0
    assert Summary.objects.get().document == document


def test_of_several_each_has_its_title() -> None:
    one, other = (
        SummaryFactory.create(completed=True, coverage=[], document=written(title=title))
        for title in ("One\n", "Two")
    )

    ended = summarize(one.document_id, other.document_id, "--wait")

    assert ended.stdout == (
        f"# One\N{REPLACEMENT CHARACTER}\n\n{one.text}\n\n# Two\n\n{other.text}\n\n"
    )


def test_what_is_missing_is_said_and_shows_in_the_exit_status() -> None:
    summary = SummaryFactory.create(completed=True, document=written(title="River"))

    ended = summarize(summary.document_id, "--wait")

    assert (ended.stdout, ended.code) == (f"{summary.text}\n", 3)
    assert "River: nothing of 40 to 60 characters" in ended.stderr


def test_a_document_without_text_fails_alone() -> None:
    blank, document = written(text="", title="Blank"), written()

    ended = summarize(blank.pk, document.pk)

    assert ended.code == 1
    assert "Blank: the document has no text" in ended.stderr
    assert ended.stdout == f"{Summary.objects.get(document=document).pk}\n"


def test_all_that_have_none_are_found() -> None:
    missing, outdated = written(), written(version=2)
    SummaryFactory.create(completed=True, document=outdated, document_version=1)
    SummaryFactory.create(failed=True, document=missing)
    SummaryFactory.create(completed=True, document=written())
    SummaryFactory.create(begun=True, document=written())
    written(workspace=WorkspaceFactory.create())
    blank = written(text="", title="Blank")

    dry, ended = summarize("--all-missing", "--dry-run"), summarize("--all-missing")

    asked = set(Summary.objects.filter(status=ResultStatus.PENDING))
    named = {line.split()[0] for line in dry.stdout.splitlines()}
    assert named == {str(document.pk) for document in (missing, outdated, blank)}
    assert (ended.code, "Blank: the document has no text" in ended.stderr) == (0, True)
    assert {summary.document for summary in asked} == {missing, outdated}
    assert set(ended.stdout.split()) == {str(summary.pk) for summary in asked}


def test_one_that_is_there_is_made_anew_for_who_says_so() -> None:
    summary = SummaryFactory.create(completed=True, document=written())

    again, anew = summarize(summary.document_id), summarize(summary.document_id, "--anew")

    assert again.stdout == f"{summary.pk}\n"
    assert anew.stdout != again.stdout


@pytest.mark.parametrize(
    "arguments",
    [[], [uuid4()], [uuid4(), "--all-missing"]],
    ids=["nothing", "unknown", "both"],
)
def test_wrong_usage_ends_with_2_and_does_nothing(arguments: list[Any]) -> None:
    written()

    ended = summarize(*arguments)

    assert (ended.code, ended.stdout) == (2, "")
    assert not Summary.objects.exists()


def test_documents_of_other_workspaces_are_unknown() -> None:
    foreign = written(workspace=WorkspaceFactory.create())

    ended = summarize(foreign.pk)

    assert ended.code == 2
    assert str(foreign.pk) in ended.stderr
