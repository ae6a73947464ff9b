"""The web process, for gunicorn with threads; they share one pool of database connections."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.base")
os.environ.setdefault("DATABASE_POOL", "true")

from django.core.wsgi import get_wsgi_application

from config import embedded
from config.charsets import reading_utf8

embedded.hold()
application = reading_utf8(get_wsgi_application())

from processing.live.hub import close_at_exit  # noqa: E402  it needs the applications

close_at_exit()
