"""What a recording becomes: its transcript, and the processing and chunks that get it there."""

from processing.models.chunk import ChunkTask
from processing.models.engine import Engine
from processing.models.processing import ProcessingTask
from processing.models.recording import Recording
from processing.models.transcript import Transcript
from processing.models.workspace import Workspace

__all__ = ["ChunkTask", "Engine", "ProcessingTask", "Recording", "Transcript", "Workspace"]
