"""The web process, for gunicorn with threads; they share one pool of database connections."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.base")
os.environ.setdefault("DATABASE_POOL", "true")

from django.core.wsgi import get_wsgi_application

from config import embedded
from config.charsets import reading_utf8
from config.gunicorn_input import reading_sockets
from config.gunicorn_memory import keep_freed_memory

keep_freed_memory()
embedded.hold()
application = reading_utf8(reading_sockets(get_wsgi_application()))

from processing.live.hub import close_at_exit  # noqa: E402  it needs the applications

close_at_exit()
