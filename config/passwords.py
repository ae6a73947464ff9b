"""Logging in with a password, which nobody may guess for long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import ValidationError
from rest_framework.exceptions import Throttled
from rest_framework.request import Request

from config.throttling import buckets, guesses_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.http import HttpRequest


class PasswordBackend(ModelBackend):
    """Django's, which answers nobody who was wrong too often from one address under one name.

    A try is taken before the password is looked at and given back when it is right, so that no
    number of processes looks at more wrong ones than ``LOGIN_FAILURES``.
    """

    def authenticate(
        self,
        request: HttpRequest | Request | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """Return whose password it is; who has no try left gets 429, or an error in the form."""
        if request is None or username is None:
            return super().authenticate(request, username, password, **kwargs)
        is_program = isinstance(request, Request)
        asked = request._request if isinstance(request, Request) else request
        caller, rate = guesses_of(asked, username)
        allowance = buckets().take(caller, [rate])
        if allowance and allowance.wait_seconds:
            if is_program:
                asked.rate_limit = allowance  # type: ignore[attr-defined]
                raise Throttled(allowance.wait_seconds)
            raise ValidationError("Too many wrong passwords: try again in some minutes.")
        is_wrong = False
        try:
            user = super().authenticate(asked, username, password, **kwargs)
            is_wrong = user is None
        finally:
            if allowance and not is_wrong:
                buckets().give_back(caller, rate)
        return user
