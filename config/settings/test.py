"""The suite's settings: real servers, and in them a corner of its own for each test process."""

import os

from config import env
from config.settings.base import *  # noqa: F403
from config.settings.base import CACHES, DATABASES, ENGINES, REDIS_URL, RQ_QUEUES

#: Redis' database 0 is for people, 1 for pytest alone, 2 and on for the workers of pytest -n.
REDIS_DATABASE = 2 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw-1").removeprefix("gw"))
REDIS_URL = env.with_query(REDIS_URL, db=REDIS_DATABASE)
CACHES["default"]["LOCATION"] = REDIS_URL
for queue in RQ_QUEUES.values():
    queue["URL"] = env.with_query(queue["URL"], db=REDIS_DATABASE)

# A test database need not survive a power failure.
DATABASES["default"]["OPTIONS"]["options"] = "-c synchronous_commit=off"

MEDIA_ROOT = env.VAR / "tests" / str(REDIS_DATABASE) / "media"
FILE_UPLOAD_TEMP_DIR = MEDIA_ROOT / "tmp"
FILE_UPLOAD_TEMP_DIR.mkdir(parents=True, exist_ok=True)

# Who tests limits sets them.
API_REQUESTS_PER_MINUTE = API_UPLOADS_PER_MINUTE = ANONYMOUS_REQUESTS_PER_MINUTE = 0
LOGIN_FAILURES = 0

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ENGINES["scripted"] = "tests.fakes.speech.ScriptedEngine"
ENGINES["broken"] = "tests.fakes.speech.BrokenEngine"
