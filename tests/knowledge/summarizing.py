"""Documents to be summarised, and a model that says which of their parts it has read."""

import re
from collections.abc import Sequence
from typing import Any

from jobs.models import Job
from processing.knowledge.summarizing.summaries import (
    summarize,
)
from processing.models import Document, Summary
from processing.text_engines.base import Message
from tests.factories.knowledge import DocumentFactory
from tests.factories.processing import TranscriptFactory, heard_segment

#: A text of a hundred paragraphs, each of 60 letters: about 2,000 tokens.
PARAGRAPHS = [
    f"Paragraph number{n:02} says that thing{n:02} belongs to place{n:02}." for n in range(100)
]
SHORT = ["The river rises in the hills.", "It meets the sea."]


def summary_of(messages: Sequence[Message]) -> str:
    """Say which paragraphs a text is about, and for summaries, which they name."""
    numbers = sorted(set(re.findall(r"number(\d\d)", messages[-1].content))) or ["none"]
    return f"About number{numbers[0]} to number{numbers[-1]}."


def is_about(number: int, messages: Sequence[Message]) -> bool:
    return "Paragraph" in messages[-1].content and f"number{number:02}" in messages[-1].content


def written(paragraphs: Sequence[str] = PARAGRAPHS, **fields: Any) -> Document:
    document: Document = DocumentFactory.create(text="\n\n".join(paragraphs), **fields)
    return document


def spoken(segment_count: int) -> Document:
    """Return the document of a transcript of a segment a minute."""
    segments = [
        heard_segment(60.0 * n, *PARAGRAPHS[n].lower().replace(".", "").split())
        for n in range(segment_count)
    ]
    text = " ".join(segment["text"] for segment in segments)
    transcript = TranscriptFactory.create(completed=True, text=text, segments=segments)
    document: Document = DocumentFactory.create(transcript=transcript)
    return document


def job_of(summary: Summary) -> Job:
    return Job.objects.about(summary.document_id).carrying(result_id=str(summary.pk)).latest("pk")


def made(summary: Summary, *, is_last_attempt: bool = True) -> Summary:
    """Do the job as a worker does; return the summary as it is stored then."""
    job = job_of(summary)
    job.attempt = job.max_attempts if is_last_attempt else 1
    summarize(job)
    summary.refresh_from_db()
    return summary
