"""Every knob of the installation, read once from the environment, with its default and its unit."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import environ  # type: ignore[import-untyped]
import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict

_read = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent
#: Everything that the installation writes, unless a knob below says otherwise.
VAR = Path(_read.str("LONGHAND_VAR", default="") or BASE_DIR / "var").resolve()
#: Recordings and their chunks; every web process and worker must see the same files.
MEDIA_ROOT = Path(_read.str("MEDIA_ROOT", default="") or VAR / "media").resolve()

#: Empty means the embedded server (``config.embedded``).
DATABASE_URL: str = _read.str("DATABASE_URL", default="")
REDIS_URL: str = _read.str("REDIS_URL", default="")
#: For web processes only: a forked child that inherits a pool reads other processes' answers.
DATABASE_POOL: bool = _read.bool("DATABASE_POOL", default=False)
DATABASE_POOL_MAX_CONNECTIONS: int = _read.int("DATABASE_POOL_MAX_CONNECTIONS", default=10)

#: Empty means a key of this installation's own (``development_secret_key``).
SECRET_KEY: str = _read.str("SECRET_KEY", default="")
DEBUG: bool = _read.bool("DEBUG", default=False)
ALLOWED_HOSTS: list[str] = _read.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
#: Origins such as ``https://longhand.example.org``; read in production.
CSRF_TRUSTED_ORIGINS: list[str] = _read.list("CSRF_TRUSTED_ORIGINS", default=[])
#: True only behind a proxy that sets or strips ``X-Forwarded-Proto`` itself; read in production.
TRUST_X_FORWARDED_PROTO: bool = _read.bool("TRUST_X_FORWARDED_PROTO", default=False)
LOG_LEVEL: str = _read.str("LOG_LEVEL", default="INFO").upper()

#: faster-whisper's model: a size, a repository of the Hugging Face Hub, or a directory.
WHISPER_MODEL: str = _read.str("WHISPER_MODEL", default="small")
#: ``cpu``, ``cuda`` or ``auto``; how its weights are kept; and the threads of each worker.
WHISPER_DEVICE: str = _read.str("WHISPER_DEVICE", default="auto")
WHISPER_COMPUTE_TYPE: str = _read.str("WHISPER_COMPUTE_TYPE", default="int8")
WHISPER_THREADS: int = _read.int("WHISPER_THREADS", default=1)

#: Local engines that hear only so many chunks at once over all hosts, as ``whisper=1,sphinx=8``.
ENGINE_CONCURRENCY: dict[str, int] = _read.dict(
    "ENGINE_CONCURRENCY", cast={"value": int}, default={}
)

#: Names of OpenAI-compatible servers that are engines; see ``provider`` for what each needs.
PROVIDERS: list[str] = _read.list("PROVIDERS", default=[])

#: Whether every new transcript and document is summarised without being asked for.
AUTO_SUMMARIZE: bool = _read.bool("AUTO_SUMMARIZE", default=True)

#: The speech engine of those who name none.
ENGINE: str = _read.str("ENGINE", default="sphinx")
MAX_UPLOAD_BYTES: int = _read.int("MAX_UPLOAD_BYTES", default=4 * 1024**3)
MAX_DURATION_SECONDS: int = _read.int("MAX_DURATION_SECONDS", default=48 * 3600)

#: Limits of an uploaded document: of the file, of what it unpacks to, of what is read of it,
#: and of the process that reads it.
MAX_DOCUMENT_BYTES: int = _read.int("MAX_DOCUMENT_BYTES", default=100 * 1024**2)
MAX_DOCUMENT_UNPACKED_BYTES: int = _read.int("MAX_DOCUMENT_UNPACKED_BYTES", default=512 * 1024**2)
MAX_DOCUMENT_PAGES: int = _read.int("MAX_DOCUMENT_PAGES", default=5_000)
MAX_DOCUMENT_CHARACTERS: int = _read.int("MAX_DOCUMENT_CHARACTERS", default=50_000_000)
EXTRACTION_SECONDS: int = _read.int("EXTRACTION_SECONDS", default=120)
EXTRACTION_MEMORY_BYTES: int = _read.int("EXTRACTION_MEMORY_BYTES", default=1024**3)

#: How long claimed work stays with a worker that does not renew its claim.
LEASE_SECONDS: int = _read.int("LEASE_SECONDS", default=10)
HEARTBEAT_SECONDS: int = _read.int("HEARTBEAT_SECONDS", default=2)
SWEEP_SECONDS: int = _read.int("SWEEP_SECONDS", default=5)
#: A worker that is at one chunk for longer than this is killed; the chunk is tried again.
CHUNK_TIME_LIMIT_SECONDS: int = _read.int("CHUNK_TIME_LIMIT_SECONDS", default=1800)
#: Chunks that one worker has at remote engines at once: it only waits for them.
REMOTE_THREADS: int = _read.int("REMOTE_THREADS", default=10)

#: What each process may keep of the cache in its memory.
CACHE_MEMORY_BYTES: int = _read.int("CACHE_MEMORY_BYTES", default=64 * 1024**2)
#: How long the cache waits for Redis before it goes on without.
CACHE_REDIS_TIMEOUT_SECONDS: float = _read.float("CACHE_REDIS_TIMEOUT_SECONDS", default=0.05)

#: Jobs that ended longer ago are deleted every night; 0 keeps them for ever.
JOB_RETENTION_DAYS: int = _read.int("JOB_RETENTION_DAYS", default=30)
if not 0 <= JOB_RETENTION_DAYS <= 36_500:
    raise ImproperlyConfigured(f"JOB_RETENTION_DAYS is {JOB_RETENTION_DAYS}, not 0 to 36500.")


def development_secret_key() -> str:
    """The key stored under ``VAR``, made at first use; processes that race agree on one."""
    path = VAR / "secret_key"
    if not path.exists():
        VAR.mkdir(parents=True, exist_ok=True)
        draft = VAR / f"secret_key.{os.getpid()}"
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(50))
        with suppress(FileExistsError):
            os.link(draft, path)  # unlike a rename, refuses to replace another's key
        draft.unlink()
    return path.read_text()


def database(url: str) -> dict[str, Any]:
    """Django's settings for a libpq connection string, in libpq's own reading of it."""
    try:
        options: dict[str, Any] = dict(conninfo_to_dict(url))
    except psycopg.Error:
        # The message of libpq, and so the chained exception, would show the password.
        raise ImproperlyConfigured("DATABASE_URL is not a PostgreSQL connection string.") from None
    if "dbname" not in options:
        raise ImproperlyConfigured("DATABASE_URL names no database.")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": options.pop("dbname"),
        "USER": options.pop("user", ""),
        "PASSWORD": options.pop("password", ""),
        "HOST": options.pop("host", ""),
        "PORT": str(options.pop("port", "")),
        "OPTIONS": options,
    }


def provider(name: str) -> dict[str, Any]:
    """Read one OpenAI-compatible server from the variables that begin with its name.

    ``<NAME>_BASE_URL`` and ``<NAME>_MODEL`` are needed; ``_API_KEY`` is where the server wants
    one. ``_RESPONSE_FORMAT`` is ``auto``, ``verbose_json``, ``json``, ``text`` or
    ``diarized_json``. Limits of all workers together, 0 for none: ``_MAX_CONCURRENCY``,
    ``_REQUESTS_PER_MINUTE``, ``_AUDIO_SECONDS_PER_HOUR``; and of one request:
    ``_MAX_CLIP_SECONDS``, ``_MAX_CLIP_BYTES``.
    """
    prefix = name.upper().replace("-", "_")
    for needed in (f"{prefix}_BASE_URL", f"{prefix}_MODEL"):
        if not os.environ.get(needed):
            raise ImproperlyConfigured(f"PROVIDERS names {name}, and {needed} is not set")
    return {
        "BASE_URL": _read.str(f"{prefix}_BASE_URL"),
        "MODEL": _read.str(f"{prefix}_MODEL"),
        "API_KEY": _read.str(f"{prefix}_API_KEY", default=""),
        "RESPONSE_FORMAT": _read.str(f"{prefix}_RESPONSE_FORMAT", default="auto"),
        "LANGUAGES": _read.list(f"{prefix}_LANGUAGES", default=[]),
        "MAX_CONCURRENCY": _read.int(f"{prefix}_MAX_CONCURRENCY", default=8),
        "REQUESTS_PER_MINUTE": _read.float(f"{prefix}_REQUESTS_PER_MINUTE", default=0),
        "AUDIO_SECONDS_PER_HOUR": _read.float(f"{prefix}_AUDIO_SECONDS_PER_HOUR", default=0),
        "MAX_CLIP_SECONDS": _read.float(f"{prefix}_MAX_CLIP_SECONDS", default=1400),
        "MAX_CLIP_BYTES": _read.int(f"{prefix}_MAX_CLIP_BYTES", default=25 * 1024**2),
    }


def text_provider(name: str) -> dict[str, Any] | None:
    """Read the OpenAI-compatible server for ``CHAT`` or ``EMBEDDINGS``; None where there is none.

    ``<NAME>_BASE_URL`` and ``<NAME>_MODEL`` make one; ``_API_KEY`` is where the server wants one.
    Limits of all workers together, 0 for none: ``_MAX_CONCURRENCY``, ``_REQUESTS_PER_MINUTE``,
    ``_TOKENS_PER_MINUTE``; ``_TIMEOUT_SECONDS`` is for one answer. ``CHAT_CONTEXT_TOKENS`` is
    what its model reads and writes at once, ``EMBEDDINGS_DIMENSION`` the length of its vectors.
    """
    if not os.environ.get(f"{name}_BASE_URL"):
        return None
    if not os.environ.get(f"{name}_MODEL"):
        raise ImproperlyConfigured(f"{name}_BASE_URL is set, and {name}_MODEL is not")
    return {
        "BASE_URL": _read.str(f"{name}_BASE_URL"),
        "MODEL": _read.str(f"{name}_MODEL"),
        "API_KEY": _read.str(f"{name}_API_KEY", default=""),
        "MAX_CONCURRENCY": _read.int(f"{name}_MAX_CONCURRENCY", default=8),
        "REQUESTS_PER_MINUTE": _read.float(f"{name}_REQUESTS_PER_MINUTE", default=0),
        "TOKENS_PER_MINUTE": _read.float(f"{name}_TOKENS_PER_MINUTE", default=0),
        "TIMEOUT_SECONDS": _read.float(f"{name}_TIMEOUT_SECONDS", default=300),
        "CONTEXT_TOKENS": _read.int(f"{name}_CONTEXT_TOKENS", default=16_000),
        "DIMENSION": _read.int(f"{name}_DIMENSION", default=1536),
    }


def with_query(url: str, **query: object) -> str:
    """``url`` with ``query`` in its query string, where redis-py reads database and timeouts."""
    address, _, present = url.partition("?")
    merged = dict(parse_qsl(present)) | {name: str(value) for name, value in query.items()}
    return f"{address}?{urlencode(merged)}"
