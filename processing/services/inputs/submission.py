"""Handing a recording in: it is stored and its transcript asked for, or neither."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

from django.contrib.auth.models import User

from jobs.choices import JobPriority
from processing.models import Recording, Workspace
from processing.services.inputs.ingestion import storing_recording
from processing.services.requesting import TranscriptRequest, choose_engine, request_transcript


@dataclass(frozen=True)
class Submission:
    """A recording, whether its content was new, and what was asked of it."""

    recording: Recording
    is_new: bool
    request: TranscriptRequest


def submit_recording(
    *,
    source: IO[bytes],
    name: str,
    workspace: Workspace,
    engine: str = "",
    language: str = "",
    parameters: Mapping[str, Any] | None = None,
    priority: JobPriority = JobPriority.NORMAL,
    sha256: str | None = None,
    created_by: User | None = None,
) -> Submission:
    """Store a seekable file and ask for its transcript.

    Raises what ``choose_engine`` and ``storing_recording`` raise, and keeps nothing then.
    """
    choose_engine(engine, language, parameters, workspace=workspace)
    with storing_recording(
        source=source, name=name, workspace=workspace, sha256=sha256, created_by=created_by
    ) as (recording, is_new):
        request = request_transcript(
            recording=recording,
            engine=engine,
            language=language,
            parameters=parameters,
            priority=priority,
            created_by=created_by,
        )
    return Submission(recording, is_new, request)
