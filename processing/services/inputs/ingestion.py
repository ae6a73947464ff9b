"""Taking a recording in: hashed while it is stored, probed before it is accepted."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import IO
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from processing.audio.probe import probe
from processing.exceptions import AudioTooLarge, UnreadableAudio
from processing.models import Recording, Workspace
from processing.services.files import delete_file, stored_file
from processing.workspaces.quotas import charge_storage, refuse_over_storage

READ_BYTES = 1 << 20


def store_recording(
    *,
    source: IO[bytes],
    name: str,
    workspace: Workspace,
    sha256: str | None = None,
    created_by: User | None = None,
) -> tuple[Recording, bool]:
    """Store a seekable file as a recording of ``workspace``; return it and whether it is new.

    The same content is stored once: a second time returns the recording that exists, under
    its first name. ``sha256`` spares reading the file when the caller hashed it already.
    Raises ``UnreadableAudio``, ``AudioTooLarge``, ``StorageFull`` or ``QuotaReached``, and keeps
    nothing then.
    """
    with storing_recording(
        source=source, name=name, workspace=workspace, sha256=sha256, created_by=created_by
    ) as stored:
        return stored


@contextmanager
def storing_recording(
    *,
    source: IO[bytes],
    name: str,
    workspace: Workspace,
    sha256: str | None = None,
    created_by: User | None = None,
) -> Iterator[tuple[Recording, bool]]:
    """Store like ``store_recording``, with a block in the transaction that keeps the row.

    What the block raises undoes the row and the file. The file is written before the
    transaction begins: a slow disk holds no row and no connection.
    """
    size_bytes = _measured(source)
    audio = probe(source, size_bytes=size_bytes)
    sha256 = sha256 or hash_file(source)
    known = Recording.objects.in_workspace(workspace).with_content(sha256).first()
    if known is not None:
        with transaction.atomic():
            yield known, False
        return
    refuse_over_storage(workspace, size_bytes)
    with stored_file(source, f"recordings/{uuid4()}") as stored_name, transaction.atomic():
        recording, is_new = Recording.objects.get_or_create(
            workspace=workspace,
            sha256=sha256,
            defaults={
                "name": _shown_name(name),
                "file": stored_name,
                "size_bytes": size_bytes,
                "created_by": created_by,
                **asdict(audio),
            },
        )
        if is_new:
            charge_storage(workspace, size_bytes)
        else:  # the same file arrived twice at once, and the other one was first
            delete_file(stored_name)
        yield recording, is_new


def hash_file(source: IO[bytes]) -> str:
    """Return the SHA-256 of a seekable file as 64 hex digits."""
    source.seek(0)
    digest = hashlib.sha256()
    while block := source.read(READ_BYTES):
        digest.update(block)
    return digest.hexdigest()


def _measured(source: IO[bytes]) -> int:
    size_bytes = source.seek(0, 2)
    source.seek(0)
    if size_bytes == 0:
        raise UnreadableAudio("the file is empty")
    if size_bytes > settings.MAX_UPLOAD_BYTES:
        raise AudioTooLarge(
            f"{size_bytes:,} bytes; the limit is {settings.MAX_UPLOAD_BYTES:,} bytes"
        )
    return size_bytes


def _shown_name(name: str) -> str:
    """Return a name as one line that fits its column."""
    line = "".join(c if c.isprintable() else " " for c in name).strip()
    return line[:255] or "recording"
