"""Keys: as the levels have them; and made from content, so that equal keys ask the same."""

import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import IO, Any, NamedTuple

from caching.choices import CacheLevel
from caching.statistics import Answers, answers_of

#: What a key is made of. A file is as good as its bytes; a mapping is what its JSON says.
Part = bytes | str | Mapping[str, Any] | IO[bytes]

#: How much of a file is in memory at a time.
CHUNK_BYTES = 1024 * 1024

_DOMAIN = re.compile(r"[a-z][a-z0-9_-]*")
_KEY = re.compile(rf"{_DOMAIN.pattern}:[0-9a-f]{{64}}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class CacheKey(NamedTuple):
    """A key as the levels have it, with all that follows from it."""

    full: str
    prefix: str
    in_memory: bool
    in_redis: bool
    in_database: bool
    memory: Answers
    redis: Answers
    database: Answers

    @property
    def is_in_memory_alone(self) -> bool:
        """Whether no other process ever has it."""
        return not (self.in_redis or self.in_database)

    @classmethod
    def of(cls, full: str, prefix: str, levels: Collection[CacheLevel]) -> "CacheKey":
        """Return the key that is kept in ``levels`` and counted under ``prefix``."""
        return cls(full, *_what_follows(prefix, frozenset(levels)))


@lru_cache(maxsize=1_000)
def _what_follows(prefix: str, levels: frozenset[CacheLevel]) -> tuple[Any, ...]:
    return (
        prefix,
        CacheLevel.MEMORY in levels,
        CacheLevel.REDIS in levels,
        CacheLevel.DATABASE in levels,
        answers_of(CacheLevel.MEMORY, prefix),
        answers_of(CacheLevel.REDIS, prefix),
        answers_of(CacheLevel.DATABASE, prefix),
    )


class ContentAddresser:
    """Builds keys of the form ``<domain>:<64 hex digits>`` from everything an answer depends on.

    Every part is framed by its type and length and hashed after the domain, so that no two
    lists of parts run together into one key; mappings are hashed as canonical JSON, to which
    a tuple is a list. A domain is a lower-case word, with digits, hyphens and underscores.
    """

    def key(self, domain: str, *parts: Part) -> str:
        """Return the SHA-256 key of ``parts``, in order, within ``domain``.

        A file is read as a whole, in pieces, and left where it stood. Raises ``ValueError`` for
        a file that is not seekable or changes its length meanwhile, and for what JSON or UTF-8
        cannot say; ``TypeError`` for other types and for mapping keys that are not text.
        """
        if not _DOMAIN.fullmatch(domain):
            raise ValueError(f"{domain!r} is not the name of a domain")
        digest = hashlib.sha256()
        for kind, data in [(b"d", domain.encode()), *map(_encoded, parts)]:
            if isinstance(data, bytes):
                digest.update(kind + len(data).to_bytes(8, "big"))
                digest.update(data)
            else:
                _add_file(digest.update, kind, data)
        return f"{domain}:{digest.hexdigest()}"

    def validate_key(self, key: str, domain: str, *parts: Part) -> bool:
        """Say whether ``key`` is the key of exactly these parts."""
        return key == self.key(domain, *parts)

    @staticmethod
    def is_key(text: str) -> bool:
        """Say whether ``text`` has the form of a key, whatever it is the key of."""
        return _KEY.fullmatch(text) is not None

    def transcript_key(
        self,
        *,
        file_sha256: str,
        language: str,
        engine: str,
        model_version: str,
        parameters: Mapping[str, Any],
        code_version: str,
    ) -> str:
        """Return the key of what an engine makes of a recording, by this version of the code."""
        if not _SHA256.fullmatch(file_sha256):
            raise ValueError(f"{file_sha256!r} is not a SHA-256 in lower-case hex")
        made_by = {
            "language": language,
            "engine": engine,
            "model_version": model_version,
            "code_version": code_version,
        }
        return self.key("transcript", file_sha256, made_by, parameters)

    def embeddings_key(self, *, text: str, model: str, dimension: int) -> str:
        """Return the key of the embedding that ``model`` makes of ``text``."""
        return self.key("embeddings", text, {"model": model, "dimension": dimension})


def _encoded(part: Part) -> tuple[bytes, bytes | IO[bytes]]:
    """Return the type of a part, as it is framed, and its bytes."""
    if isinstance(part, bytes):
        return b"b", part
    if isinstance(part, str):
        return b"s", part.encode()
    if isinstance(part, Mapping):
        text = json.dumps(dict(part), sort_keys=True, separators=(",", ":"), allow_nan=False)
        _check_names(part)
        return b"j", text.encode()
    if not hasattr(part, "read") or isinstance(part, io.TextIOBase):
        raise TypeError(f"a key is made of bytes, str, mappings and binary files, not {part!r}")
    return b"b", part


def _check_names(value: Any) -> None:
    """Raise for what JSON would make equal to another thing: names that are not text, and
    halves of surrogate pairs, which it joins."""
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if not isinstance(name, str):
                raise TypeError(f"the keys of a mapping are str, not {name!r}")
            _check_names(name)
            _check_names(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check_names(inner)


def _add_file(update: Callable[[bytes], object], kind: bytes, file: IO[bytes]) -> None:
    if not file.seekable():
        raise ValueError("a file must be seekable: its length is hashed before its bytes")
    position = file.tell()
    try:
        file.seek(0, os.SEEK_END)
        length = left = file.tell()
        update(kind + length.to_bytes(8, "big"))
        file.seek(0)
        while left >= 0 and (chunk := file.read(CHUNK_BYTES)):
            update(chunk)
            left -= len(chunk)
        if left:
            raise ValueError(f"a file of {length} bytes changed its length while it was read")
    finally:
        file.seek(position)
