"""Who calls the API: programs by a key, people by their session or password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed

from processing.workspaces.keys import key_of_token

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from rest_framework.request import Request

    from processing.models import ApiKey

KEYWORD = b"bearer"
REALM = "longhand"


class ApiKeyAuthentication(BaseAuthentication):
    """``Authorization: Bearer lh_<id>_<secret>``; ``request.auth`` is the key."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        """Return whose key it is; None when there is none, for the others to look."""
        scheme, *rest = get_authorization_header(request).split() or (b"",)
        if scheme.lower() != KEYWORD:
            return None
        token = rest[0].decode("latin-1") if len(rest) == 1 else ""
        key = key_of_token(token)
        if key is None:
            raise AuthenticationFailed("The API key is not valid, or not any more.")
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        return f'Bearer realm="{REALM}"'
