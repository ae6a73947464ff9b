"""What keys may be allowed at most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from processing.choices import Role, Scope
from processing.exceptions import KeyUnusable, ScopeTooWide
from processing.models import ApiKey
from processing.workspaces.keys import ROTATION_GRACE, rotate_key

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta


def refuse_wider(scopes: Iterable[str], role: Role) -> None:
    """Raise ``ScopeTooWide`` for scopes that are more than somebody of ``role`` may do."""
    too_wide = [scope for scope in scopes if Scope(scope).role.rank > role.rank]
    if too_wide:
        raise ScopeTooWide(f"{', '.join(too_wide)}: more than a member who is {role} may do")


@transaction.atomic
def exchange_key(
    key: ApiKey, role: Role, *, grace: timedelta = ROTATION_GRACE
) -> tuple[ApiKey, str]:
    """Rotate a key for its owner, who is of ``role``; return the new one and its token.

    Raises ``KeyUnusable`` for one that is good for nothing now, and ``ScopeTooWide``.
    """
    current = ApiKey.objects.usable().select_for_update(of=("self",)).filter(pk=key.pk).first()
    if current is None:
        raise KeyUnusable("the key was revoked, or has expired; make another")
    refuse_wider(current.scopes, role)
    return rotate_key(current, grace=grace)
