"""What staff see of recordings and of what becomes of them; one module per model."""

from processing.admin import chunk, processing, recording, transcript, workspace

__all__ = ["chunk", "processing", "recording", "transcript", "workspace"]
