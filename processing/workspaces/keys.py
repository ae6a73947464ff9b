"""API keys: made, recognised, exchanged for others and taken back."""

from __future__ import annotations

import hmac
import re
import secrets
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from processing.models import ApiKey

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from django.contrib.auth.models import User

    from processing.models import Workspace

PREFIX = "lh"
ID_BYTES, SECRET_BYTES = 8, 32
_TOKEN = re.compile(rf"{PREFIX}_([0-9a-f]{{{2 * ID_BYTES}}})_([0-9a-f]{{{2 * SECRET_BYTES}}})")

#: ``last_used_at`` is written at most so often: requests are many, and nobody asks for seconds.
USED_WITHIN = timedelta(minutes=1)

#: A key that was exchanged for another is good for so long, unless it is said otherwise.
ROTATION_GRACE = timedelta(days=1)


def issue_key(
    *,
    workspace: Workspace,
    user: User,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Make a key; return it and its token, which nobody can tell again."""
    secret = secrets.token_hex(SECRET_BYTES)
    key = ApiKey.objects.create(
        id=secrets.token_hex(ID_BYTES),
        workspace=workspace,
        user=user,
        name=name,
        scopes=sorted(set(scopes)),
        secret_hash=_hashed(secret),
        expires_at=expires_at,
    )
    return key, f"{PREFIX}_{key.pk}_{secret}"


@transaction.atomic
def rotate_key(key: ApiKey, *, grace: timedelta = ROTATION_GRACE) -> tuple[ApiKey, str]:
    """Make a key that may do the same; ``key`` is good for ``grace`` more at most."""
    ends_at = timezone.now() + grace
    successor = issue_key(
        workspace=key.workspace,
        user=key.user,
        name=key.name,
        scopes=key.scopes,
        expires_at=key.expires_at,
    )
    if key.expires_at is None or key.expires_at > ends_at:
        ApiKey.objects.filter(pk=key.pk).update(expires_at=ends_at)
        key.expires_at = ends_at
    return successor


def revoke_key(key: ApiKey) -> bool:
    """Have a key be good for nothing from now on; False when it was revoked before."""
    revoked = ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=Now())
    key.refresh_from_db(fields=["revoked_at"])
    return revoked == 1


def key_of_token(token: str) -> ApiKey | None:
    """Return the key of a token that is good now, None for any other.

    Says in the row that it was used, once a minute at most.
    """
    parts = _TOKEN.fullmatch(token)
    if parts is None:
        return None
    key = ApiKey.objects.usable_one(parts[1])
    if key is None or not hmac.compare_digest(key.secret_hash, _hashed(parts[2])):
        return None
    if key.last_used_at is None or key.last_used_at < timezone.now() - USED_WITHIN:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=Now())
    return key


def _hashed(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
