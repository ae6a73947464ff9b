"""Forgetting a recording: its rows, its work and its files."""

from django.db import transaction

from caching.invalidation import CacheInvalidator, tags_of
from jobs.models import Job
from processing.models import ChunkTask, Document, ProcessingTask, Recording, Transcript
from processing.services.files import delete_file


@transaction.atomic
def delete_recording(*, recording: Recording) -> None:
    """Stop what is being done for ``recording`` and delete it with all that came of it.

    The files go once the rows are gone. A worker that still transcribes a part of it finds
    its result refused.
    """
    # First: from here on nobody asks for a transcript of it.
    Recording.objects.select_for_update().filter(pk=recording.pk).first()
    chunks = ChunkTask.objects.of_recording(recording)
    # Locked in the order of all others: chunks by their keys, then the processing.
    list(chunks.order_by("pk").select_for_update(of=("self",)).values_list("pk"))
    for processing in ProcessingTask.objects.of_recording(recording).active():
        ProcessingTask.objects.cancel(processing.pk)
    for transcript in Transcript.objects.of_recording(recording).without_content():
        Job.objects.about(transcript.pk).active().cancel()
    recording_id = recording.pk
    documents = Document.objects.filter(transcript__recording=recording)
    Document.objects.hold(documents.values_list("pk", flat=True))
    file_names = [recording.file.name, *chunks.values_list("audio", flat=True)]
    recording.delete()
    CacheInvalidator().erase(*tags_of(recording=recording_id))
    transaction.on_commit(lambda: _delete_files(file_names), robust=True)


def _delete_files(names: list[str | None]) -> None:
    for name in names:
        if name:
            delete_file(name)
