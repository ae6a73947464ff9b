"""The settings of every installation; what differs between them comes from ``config.env``."""

from typing import Any

from config import embedded, env

BASE_DIR = env.BASE_DIR
SECRET_KEY = env.SECRET_KEY or env.development_secret_key()
SECRET_KEY_FALLBACKS = env.SECRET_KEY_FALLBACKS
DEBUG = env.DEBUG
ALLOWED_HOSTS = env.ALLOWED_HOSTS

INSTALLED_APPS = [
    "config.apps.LonghandAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_prometheus",
    "jobs",
    "caching",
    "processing",
    "monitoring",
]
MIDDLEWARE = [
    "config.middleware.RequestIds",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "config.content_security.ContentSecurity",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.Compression",
    "django.middleware.http.ConditionalGetMiddleware",
    "config.middleware.ApiAnswers",
    "config.auditing.AuditEvents",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
    "processing.workspaces.row_security.RowSecurityMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Speech

#: name -> class; a class is imported when somebody asks for its engine
ENGINES = {
    "sphinx": "processing.engines.sphinx.SphinxEngine",
    "whisper": "processing.engines.whisper.engine_of_settings",
}
#: OpenAI-compatible servers: each is an engine of that name
PROVIDERS = {name: env.provider(name) for name in env.PROVIDERS}
#: engine -> how many chunks it hears at once, over all workers of all hosts
CONCURRENCY_LIMITS = env.ENGINE_CONCURRENCY | {
    name: provider["MAX_CONCURRENCY"]
    for name, provider in PROVIDERS.items()
    if provider["MAX_CONCURRENCY"]
}
WHISPER: dict[str, Any] = {
    "model": env.WHISPER_MODEL,
    "device": env.WHISPER_DEVICE,
    "compute_type": env.WHISPER_COMPUTE_TYPE,
    "cpu_threads": env.WHISPER_THREADS,
}
ENGINE = env.ENGINE
#: OpenAI-compatible servers that write text and make embeddings; None where there are none
CHAT = env.text_provider("CHAT")
EMBEDDINGS = env.text_provider("EMBEDDINGS")
#: a ``Translator`` to be asked before all others
TRANSLATOR = None
AUTO_SUMMARIZE = env.AUTO_SUMMARIZE
EVENT_STREAMS = env.EVENT_STREAMS
EVENT_HEARTBEAT_SECONDS = env.EVENT_HEARTBEAT_SECONDS
MAX_UPLOAD_BYTES = env.MAX_UPLOAD_BYTES
UPLOAD_EXPIRY_HOURS = env.UPLOAD_EXPIRY_HOURS
MAX_DURATION_SECONDS = env.MAX_DURATION_SECONDS
OPENAI_MODEL_ALIASES = env.OPENAI_MODEL_ALIASES
OPENAI_REQUESTS = env.OPENAI_REQUESTS
OPENAI_WAIT_SECONDS = env.OPENAI_WAIT_SECONDS

# Documents

MAX_DOCUMENT_BYTES = env.MAX_DOCUMENT_BYTES
MAX_DOCUMENT_UNPACKED_BYTES = env.MAX_DOCUMENT_UNPACKED_BYTES
MAX_DOCUMENT_PAGES = env.MAX_DOCUMENT_PAGES
MAX_DOCUMENT_CHARACTERS = env.MAX_DOCUMENT_CHARACTERS
EXTRACTION_SECONDS = env.EXTRACTION_SECONDS
EXTRACTION_MEMORY_BYTES = env.EXTRACTION_MEMORY_BYTES

# PostgreSQL

DATABASES = {"default": env.database(env.DATABASE_URL or embedded.database_url())}
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True  # a restarted server costs no request
if not env.DATABASE_POOL:
    DATABASES["default"]["CONN_MAX_AGE"] = None  # a worker keeps its one connection
else:
    DATABASES["default"]["OPTIONS"]["pool"] = {
        "min_size": min(2, env.DATABASE_POOL_MAX_CONNECTIONS),
        "max_size": env.DATABASE_POOL_MAX_CONNECTIONS,
        "max_waiting": 0,  # as many as there are threads
        "max_lifetime": 30 * 60,
        "timeout": env.DATABASE_POOL_WAIT_SECONDS,
    }
ROW_LEVEL_SECURITY = env.ROW_LEVEL_SECURITY
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Redis: nothing in it is pickled, for whoever can write to Redis could then run code here.

REDIS_URL = env.REDIS_URL or embedded.redis_url()
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "caching.backend.MultiLevelCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "longhand",
        "OPTIONS": {
            "NAMESPACE": "longhand",
            "MAX_BYTES": env.CACHE_MEMORY_BYTES,
            "REDIS_TIMEOUT_SECONDS": env.CACHE_REDIS_TIMEOUT_SECONDS,
            "POLICIES": {
                # what is counted or remembered for a moment needs no table
                "throttle_": {"LEVELS": ["L2"]},
                "django.contrib.sessions": {"LEVELS": ["L1", "L2"]},
                # read once by each of many workers: their memory is better used
                "chunk:": {"LEVELS": ["L2", "L3"]},
            },
        },
    },
}

# A client made from a URL gives up on a dead Redis in milliseconds, one made from host and
# port in seconds. django-rq reads timeouts from nowhere but the URL; rq raises them itself
# where it blocks.
#
# django_rq is no installed app: its pages and its worker command run whatever function Redis
# names. Only ``jobs.queues`` and ``jobs.worker`` speak to rq.
RQ_QUEUES = {
    name: {
        "URL": env.with_query(REDIS_URL, socket_connect_timeout=1, socket_timeout=1),
        "SERIALIZER": "rq.serializers.JSONSerializer",
    }
    for name in (
        "transcription",
        "chunks",
        "maintenance",
        "remote-chunks",
        "documents",
        "indexing",
        "summarization",
        "translation",
        "questions",
        "webhooks",
    )
}
#: rq's own waiting for the commit covers only a part of its calls; ours covers all (jobs).
RQ = {"COMMIT_MODE": "auto"}

LEASE_SECONDS = env.LEASE_SECONDS
HEARTBEAT_SECONDS = env.HEARTBEAT_SECONDS
SWEEP_SECONDS = env.SWEEP_SECONDS
CHUNK_TIME_LIMIT_SECONDS = env.CHUNK_TIME_LIMIT_SECONDS
REMOTE_THREADS = env.REMOTE_THREADS
JOB_RETENTION_DAYS = env.JOB_RETENTION_DAYS
METRICS_RETENTION_DAYS = env.METRICS_RETENTION_DAYS
BULK_ACTION_AT_ONCE = env.BULK_ACTION_AT_ONCE

# Files. Uploads arrive on the file system they will stay on: storing one is a rename.

MEDIA_ROOT = env.MEDIA_ROOT
MEDIA_URL = "media/"
FILE_UPLOAD_TEMP_DIR = MEDIA_ROOT / "tmp"
STATIC_ROOT = env.VAR / "static"
for directory in (FILE_UPLOAD_TEMP_DIR, STATIC_ROOT):  # who serves files wants to see them
    directory.mkdir(parents=True, exist_ok=True)
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "config/static"]  # the look that all apps share
WHITENOISE_USE_FINDERS = True  # the admin looks right without collectstatic

# Webhooks and notices

WEBHOOK_ALLOWED_HOSTS = env.WEBHOOK_ALLOWED_HOSTS
WEBHOOK_ALLOW_HTTP = env.WEBHOOK_ALLOW_HTTP
WEBHOOK_PORTS = env.WEBHOOK_PORTS
WEBHOOK_CONNECT_SECONDS = env.WEBHOOK_CONNECT_SECONDS
WEBHOOK_TIMEOUT_SECONDS = env.WEBHOOK_TIMEOUT_SECONDS
WEBHOOK_PAUSE_AFTER = env.WEBHOOK_PAUSE_AFTER
WEBHOOKS_PER_WORKSPACE = env.WEBHOOKS_PER_WORKSPACE
WEBHOOK_RETENTION_DAYS = env.WEBHOOK_RETENTION_DAYS
vars().update(env.EMAIL)
EMAIL_TIMEOUT = 10  # seconds; a worker waits for it
DEFAULT_FROM_EMAIL = env.EMAIL_FROM

# People and programs

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        # the first one's challenge makes a missing login a 401, not a 403
        "config.authentication.ApiKeyAuthentication",
        "rest_framework.authentication.BasicAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAdminUser",
        "config.permissions.ModelPermissions",
    ],
    "DEFAULT_PAGINATION_CLASS": "config.pagination.ListPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_THROTTLE_CLASSES": ["config.throttling.ApiThrottle"],
    "EXCEPTION_HANDLER": "config.exceptions.problem_details",
    "DEFAULT_SCHEMA_CLASS": "config.schema.Schema",
}
API_REQUESTS_PER_MINUTE = env.API_REQUESTS_PER_MINUTE
API_UPLOADS_PER_MINUTE = env.API_UPLOADS_PER_MINUTE
ANONYMOUS_REQUESTS_PER_MINUTE = env.ANONYMOUS_REQUESTS_PER_MINUTE
LOGIN_FAILURES = env.LOGIN_FAILURES
TRUSTED_PROXIES = env.TRUSTED_PROXIES
AUTHENTICATION_BACKENDS = [
    "config.passwords.PasswordBackend",
    "processing.workspaces.role_permissions.RolePermissions",
]
CSRF_FAILURE_VIEW = "config.exceptions.csrf_failure"
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Longhand",
    "DESCRIPTION": "Long recordings into transcripts, and all that follows from them.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_URLCONF": "config.urls",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "JobStatus": "jobs.choices.JobStatus",
        "JobPriority": "jobs.choices.JobPriority",
        "ProcessingStatus": "processing.choices.ProcessingStatus",
        "ResultStatus": "processing.choices.ResultStatus",
        "DocumentStatus": "processing.choices.DocumentStatus",
        "WebhookEvent": "processing.choices.WebhookEvent",
    },
    # served from here: nothing is loaded from another host
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "PREPROCESSING_HOOKS": ["config.schema.only_ours"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.schema.add_patterns",
        "config.schema.add_problem",
        "config.links.add_links",
    ],
}
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}Validator"}
    for name in ("UserAttributeSimilarity", "MinimumLength", "CommonPassword", "NumericPassword")
]
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "{asctime} {levelname:<7} {name}{mark}: {message}", "style": "{"},
    },
    "filters": {"request": {"()": "config.logs.RequestIdFilter"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request"]},
    },
    "root": {"handlers": ["stderr"], "level": env.LOG_LEVEL},
    "loggers": {
        # Django would add handlers of its own, and say everything twice.
        "faster_whisper": {"level": "WARNING"},  # else a line for each chunk
        "django": {"handlers": [], "level": env.LOG_LEVEL, "propagate": True},
    },
}
