"""Entries as bytes: a fixed header, which a script in Redis can read, and the encoded value."""

import math
import struct
import threading

import zstandard

from caching.entries import Entry
from caching.exceptions import UndecodableEntry

#: The first byte of an entry: what it is, and the version of its layout.
FORMAT_MARK = 0xC5
#: Mark, flags, version, stored_at, expires_at, discard_at; big-endian. What follows: the prefix
#: (its length in one byte), the tags (their number, then each: length, name, version) and the
#: payload, up to the end.
_HEADER = struct.Struct(">BBqddd")
HEADER_BYTES = _HEADER.size
VERSION_OFFSET = 2
TOMBSTONE_FLAG = 1
ZSTD_FLAG = 2

#: A prefix is cut to this many bytes: its length has one byte.
MAX_PREFIX_BYTES = 255

#: Payloads from this size on are compressed when that makes them smaller by a tenth.
COMPRESS_BYTES = 4096

#: No payload becomes larger than this by decompression.
MAX_VALUE_BYTES = 64 * 1024 * 1024

_COUNT = struct.Struct(">H")
_NUMBER = struct.Struct(">q")


class _Zstandard(threading.local):
    """Each thread its own: they are dear to make, and must not be used by two at once."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=1)
        self.decompressor = zstandard.ZstdDecompressor()


_zstandard = _Zstandard()


def pack(entry: Entry) -> bytes:
    """Return an entry as bytes; raise ``ValueError`` for what its layout has no room for."""
    flags, payload = 0, entry.payload
    if payload is None:
        flags, payload = TOMBSTONE_FLAG, b""
    elif COMPRESS_BYTES <= len(payload) <= MAX_VALUE_BYTES:
        compressed = _zstandard.compressor.compress(payload)
        if len(compressed) * 10 <= len(payload) * 9:
            flags, payload = ZSTD_FLAG, compressed
    prefix = entry.prefix.encode(errors="replace")
    if len(prefix) > MAX_PREFIX_BYTES:
        prefix = prefix[:MAX_PREFIX_BYTES].decode(errors="ignore").encode()
    times = (math.inf if at is None else at for at in (entry.expires_at, entry.discard_at))
    try:
        header = _HEADER.pack(FORMAT_MARK, flags, entry.version, entry.stored_at, *times)
        parts = [header, bytes([len(prefix)]), prefix, _COUNT.pack(len(entry.tags))]
        for name, version in entry.tags:
            encoded = name.encode()
            parts += [_COUNT.pack(len(encoded)), encoded, _NUMBER.pack(version)]
    except struct.error as error:
        raise ValueError(f"an entry that cannot be stored: {error}") from error
    return b"".join([*parts, payload])


def unpack(data: bytes) -> Entry:
    """Return the entry that was packed; raise ``UndecodableEntry`` when ``data`` is none."""
    try:
        mark, flags, version, stored_at, expires_at, discard_at = _HEADER.unpack_from(data)
        if mark != FORMAT_MARK or flags > ZSTD_FLAG:
            raise UndecodableEntry("of another format")
        if math.isnan(stored_at) or math.isnan(expires_at) or math.isnan(discard_at):
            raise UndecodableEntry("a time that is none")
        at = HEADER_BYTES + 1 + data[HEADER_BYTES]
        prefix = data[HEADER_BYTES + 1 : at].decode()
        (tag_count,) = _COUNT.unpack_from(data, at)
        at += _COUNT.size
        tags = []
        for _ in range(tag_count):
            (length,) = _COUNT.unpack_from(data, at)
            at += _COUNT.size + length
            name = data[at - length : at].decode()
            tags.append((name, *_NUMBER.unpack_from(data, at)))
            at += _NUMBER.size
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise UndecodableEntry(f"no entry: {error}") from error
    payload: bytes | None = data[at:]
    if flags == ZSTD_FLAG:
        payload = _decompressed(data[at:])
    elif flags == TOMBSTONE_FLAG:
        if payload:
            raise UndecodableEntry("a tombstone with a value")
        payload = None
    return Entry(
        payload,
        version,
        stored_at,
        None if expires_at == math.inf else expires_at,
        None if discard_at == math.inf else discard_at,
        tuple(tags),
        prefix,
    )


def _decompressed(frame: bytes) -> bytes:
    try:
        size = zstandard.frame_content_size(frame)
        if not 0 <= size <= MAX_VALUE_BYTES:  # -1 when it does not say
            raise UndecodableEntry(f"a value of {size} bytes")
        return _zstandard.decompressor.decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise UndecodableEntry(f"no value: {error}") from error
