"""The suite's settings with the limits of an installation, whose headers the page shows."""

from config import env
from config.settings.test import *  # noqa: F403

API_REQUESTS_PER_MINUTE = env.API_REQUESTS_PER_MINUTE
API_UPLOADS_PER_MINUTE = env.API_UPLOADS_PER_MINUTE
