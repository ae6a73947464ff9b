"""What staff see of recordings and of what becomes of them; one module per model."""

from processing.admin import (
    api_key,
    audit_event,
    chunk,
    document,
    engine,
    job,
    processing,
    question,
    recording,
    topic,
    transcript,
    translation,
    user,
    webhook,
    workspace,
)

__all__ = [
    "api_key",
    "audit_event",
    "chunk",
    "document",
    "engine",
    "job",
    "processing",
    "question",
    "recording",
    "topic",
    "transcript",
    "translation",
    "user",
    "webhook",
    "workspace",
]
