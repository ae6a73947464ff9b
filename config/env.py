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
#: Recordings, their chunks and uploads that are under way; every web process and worker must see
#: the same files.
MEDIA_ROOT = Path(_read.str("MEDIA_ROOT", default="") or VAR / "media").resolve()

#: Empty means the embedded server (``config.embedded``).
DATABASE_URL: str = _read.str("DATABASE_URL", default="")
REDIS_URL: str = _read.str("REDIS_URL", default="")
#: For web processes only: a forked child that inherits a pool reads other processes' answers.
DATABASE_POOL: bool = _read.bool("DATABASE_POOL", default=False)
DATABASE_POOL_MAX_CONNECTIONS: int = _read.int("DATABASE_POOL_MAX_CONNECTIONS", default=10)
#: How long a request waits for one of them when more come at once.
DATABASE_POOL_WAIT_SECONDS: float = _read.float("DATABASE_POOL_WAIT_SECONDS", default=10.0)
#: Clients that each web process tells what happens to transcripts, at once; each has a thread.
EVENT_STREAMS: int = _read.int("EVENT_STREAMS", default=300)
#: How often a client is shown that its stream lives while nothing happens; proxies close others.
EVENT_HEARTBEAT_SECONDS: float = _read.float("EVENT_HEARTBEAT_SECONDS", default=15.0)
#: Whether PostgreSQL itself keeps requests of the API in their workspace; needs
#: ``manage.py row_level_security enable``.
ROW_LEVEL_SECURITY: bool = _read.bool("ROW_LEVEL_SECURITY", default=False)

#: Empty means a key of this installation's own (``development_secret_key``).
SECRET_KEY: str = _read.str("SECRET_KEY", default="")
#: Keys before this one: what was signed with them holds until they are no longer named.
SECRET_KEY_FALLBACKS: list[str] = _read.list("SECRET_KEY_FALLBACKS", default=[])
DEBUG: bool = _read.bool("DEBUG", default=False)
ALLOWED_HOSTS: list[str] = _read.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
#: Origins such as ``https://longhand.example.org``; read in production.
CSRF_TRUSTED_ORIGINS: list[str] = _read.list("CSRF_TRUSTED_ORIGINS", default=[])
#: True only behind a proxy that sets or strips ``X-Forwarded-Proto`` itself; read in production.
TRUST_X_FORWARDED_PROTO: bool = _read.bool("TRUST_X_FORWARDED_PROTO", default=False)
#: How many proxies of ours append to ``X-Forwarded-For``; 0 believes none of it.
TRUSTED_PROXIES: int = _read.int("TRUSTED_PROXIES", default=0)

#: What a key, or a user without one, may ask of the API, and how much of it may make something;
#: what an address may ask without being known; and how often one address may be wrong about the
#: password of one user in five minutes. 0 for no limit.
API_REQUESTS_PER_MINUTE: int = _read.int("API_REQUESTS_PER_MINUTE", default=600)
API_UPLOADS_PER_MINUTE: int = _read.int("API_UPLOADS_PER_MINUTE", default=60)
ANONYMOUS_REQUESTS_PER_MINUTE: int = _read.int("ANONYMOUS_REQUESTS_PER_MINUTE", default=60)
LOGIN_FAILURES: int = _read.int("LOGIN_FAILURES", default=10)
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
#: A resumable upload of which nothing arrives for so long is deleted.
UPLOAD_EXPIRY_HOURS: float = _read.float("UPLOAD_EXPIRY_HOURS", default=24)
MAX_DURATION_SECONDS: int = _read.int("MAX_DURATION_SECONDS", default=48 * 3600)

#: Models of OpenAI that its clients may name for the engine of their workspace.
OPENAI_MODEL_ALIASES: list[str] = _read.list(
    "OPENAI_MODEL_ALIASES",
    default=[
        "whisper-1",
        "gpt-transcribe",
        "gpt-4o-transcribe",
        "gpt-4o-transcribe-diarize",
        "gpt-4o-mini-transcribe",
        "gpt-4o-mini-transcribe-2025-12-15",
    ],
)
#: How many of their requests each web process has wait for their transcripts, each by a thread,
#: and how long one of them does.
OPENAI_REQUESTS: int = _read.int("OPENAI_REQUESTS", default=80)
OPENAI_WAIT_SECONDS: float = _read.float("OPENAI_WAIT_SECONDS", default=3600)

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

#: An action of the admin on more rows than this is done by a job.
BULK_ACTION_AT_ONCE: int = _read.int("BULK_ACTION_AT_ONCE", default=100)

#: What is measured each minute is deleted after so many days; 0 keeps it for ever.
METRICS_RETENTION_DAYS: int = _read.int("METRICS_RETENTION_DAYS", default=30)
if not 0 <= METRICS_RETENTION_DAYS <= 36_500:
    raise ImproperlyConfigured(
        f"METRICS_RETENTION_DAYS is {METRICS_RETENTION_DAYS}, not 0 to 36500."
    )

#: How notices reach people, as ``smtp+tls://user:password@host:587``; by default not at all.
EMAIL: dict[str, Any] = _read.email_url("EMAIL_URL", default="dummymail://")
EMAIL_FROM: str = _read.str("EMAIL_FROM", default="longhand@localhost")

#: Where webhooks may lead besides https on the public internet: hosts off it, by name or network,
#: plain http, and ports.
WEBHOOK_ALLOWED_HOSTS: list[str] = _read.list("WEBHOOK_ALLOWED_HOSTS", default=[])
WEBHOOK_ALLOW_HTTP: bool = _read.bool("WEBHOOK_ALLOW_HTTP", default=False)
WEBHOOK_PORTS: list[int] = _read.list("WEBHOOK_PORTS", cast=int, default=[80, 443, 8080, 8443])
#: How long connecting may take, and a delivery in all.
WEBHOOK_CONNECT_SECONDS: float = _read.float("WEBHOOK_CONNECT_SECONDS", default=5)
WEBHOOK_TIMEOUT_SECONDS: float = _read.float("WEBHOOK_TIMEOUT_SECONDS", default=15)
#: So many deliveries in a row that are given up pause a webhook.
WEBHOOK_PAUSE_AFTER: int = _read.int("WEBHOOK_PAUSE_AFTER", default=5)
WEBHOOKS_PER_WORKSPACE: int = _read.int("WEBHOOKS_PER_WORKSPACE", default=20)
#: Deliveries that ended longer ago are deleted every night; 0 keeps them for ever.
WEBHOOK_RETENTION_DAYS: int = _read.int("WEBHOOK_RETENTION_DAYS", default=30)
if not 0 <= WEBHOOK_RETENTION_DAYS <= 36_500:
    raise ImproperlyConfigured(
        f"WEBHOOK_RETENTION_DAYS is {WEBHOOK_RETENTION_DAYS}, not 0 to 36500."
    )


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
