"""What staff see of recordings and of what becomes of them; one module per model."""

from processing.admin import (
    chunk,
    document,
    engine,
    processing,
    question,
    recording,
    topic,
    transcript,
    translation,
    workspace,
)

__all__ = [
    "chunk",
    "document",
    "engine",
    "processing",
    "question",
    "recording",
    "topic",
    "transcript",
    "translation",
    "workspace",
]
