"""The web process, for gunicorn with threads; they share one pool of database connections."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.base")
os.environ.setdefault("DATABASE_POOL", "true")

from django.core.wsgi import get_wsgi_application

from config import embedded

embedded.hold()
application = get_wsgi_application()
