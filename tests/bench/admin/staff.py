"""Somebody of staff at a browser, who has logged in before."""

from http.client import HTTPConnection
from importlib import import_module

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User

from tests.bench.api.web import HOST


class Staff:
    """Asks for pages over one connection, with the cookie of a session."""

    def __init__(self, port: int, user: User) -> None:
        self._connection = HTTPConnection(HOST, port, timeout=60)
        session = import_module(settings.SESSION_ENGINE).SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.save()
        self._headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session.session_key}"}

    def get(self, path: str) -> bytes:
        """Return the page; raise ``ConnectionError`` for anything but a 200."""
        self._connection.request("GET", path, headers=self._headers)
        with self._connection.getresponse() as response:
            body = response.read()
        if response.status != 200:
            raise ConnectionRefusedError(f"{path}: {response.status} {body[:500]!r}")
        return body

    def read_through(self, path: str) -> int:
        """Read an answer of any size, and keep nothing of it; return how many bytes it had."""
        self._connection.request("GET", path, headers=self._headers)
        size = 0
        with self._connection.getresponse() as response:
            while part := response.read(1 << 16):
                size += len(part)
        return size

    def close(self) -> None:
        self._connection.close()
