"""What staff see of recordings and of what becomes of them; one module per model."""

from processing.admin import chunk, engine, processing, recording, transcript, workspace

__all__ = ["chunk", "engine", "processing", "recording", "transcript", "workspace"]
