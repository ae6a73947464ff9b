"""The room that is left for files."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from django.core.files.storage import FileSystemStorage, default_storage
from django.template.defaultfilters import filesizeformat


@dataclass(frozen=True)
class StorageFacts:
    """The file system that recordings are on, as who writes to it finds it."""

    total_bytes: int
    free_bytes: int

    @property
    def used_share(self) -> float:
        return 1 - self.free_bytes / self.total_bytes

    def __str__(self) -> str:
        return f"{filesizeformat(self.free_bytes)} free of {filesizeformat(self.total_bytes)}"


def storage_facts() -> StorageFacts | None:
    """Describe where files are stored; None where that is no file system of this host."""
    if not isinstance(default_storage, FileSystemStorage):
        return None
    usage = shutil.disk_usage(default_storage.location)
    return StorageFacts(usage.used + usage.free, usage.free)
