"""What a recording becomes: its transcript, the processing and chunks that get it there, and
what follows from the transcript."""

from processing.models.chunk import ChunkTask
from processing.models.document import Document, DocumentLink, DocumentVersion
from processing.models.engine import Engine
from processing.models.passage import Passage
from processing.models.processing import ProcessingTask
from processing.models.question import Question
from processing.models.recording import Recording
from processing.models.result import Result
from processing.models.summary import Summary
from processing.models.topic import DocumentTopic, Topic
from processing.models.transcript import Transcript
from processing.models.translation import Translation
from processing.models.workspace import Workspace

__all__ = [
    "ChunkTask",
    "Document",
    "DocumentLink",
    "DocumentTopic",
    "DocumentVersion",
    "Engine",
    "Passage",
    "ProcessingTask",
    "Question",
    "Recording",
    "Result",
    "Summary",
    "Topic",
    "Transcript",
    "Translation",
    "Workspace",
]
