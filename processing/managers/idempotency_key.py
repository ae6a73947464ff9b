"""The repository of idempotency keys."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from django.db import connections, models
from django.utils import timezone

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from processing.models import IdempotencyKey, Workspace

#: An answer is given again for so long; after that its key is as good as new.
RETENTION = timedelta(hours=24)

#: A request that has not ended by then is presumed dead.
LOCK = timedelta(minutes=5)

#: Takes a key that nobody has, whose request is presumed dead, or whose answer is forgotten.
CLAIM = """
INSERT INTO idempotency_keys
    (workspace_id, user_id, key, fingerprint, headers, locked_until, created_at)
VALUES (%(workspace)s, %(user)s, %(key)s, %(fingerprint)s, '{}', now() + %(lock)s, now())
ON CONFLICT (workspace_id, user_id, key) DO UPDATE
SET fingerprint = excluded.fingerprint, headers = excluded.headers, status_code = NULL,
    body = NULL, locked_until = excluded.locked_until, created_at = excluded.created_at
WHERE (idempotency_keys.status_code IS NULL AND idempotency_keys.locked_until <= now())
    OR idempotency_keys.created_at <= now() - %(retention)s
RETURNING id
"""


class IdempotencyKeyQuerySet(models.QuerySet["IdempotencyKey"]):
    def in_workspace(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def named(self, workspace: Workspace, user: User, key: str) -> Self:
        return self.filter(workspace=workspace, user=user, key=key)

    def claim(
        self, *, workspace: Workspace, user: User, key: str, fingerprint: str
    ) -> IdempotencyKey | None:
        """Take a key for the request that is to be done now; None when it is another's."""
        parameters: dict[str, Any] = {
            "workspace": workspace.pk,
            "user": user.pk,
            "key": key,
            "fingerprint": fingerprint,
            "lock": LOCK,
            "retention": RETENTION,
        }
        with connections[self.db].cursor() as cursor:
            cursor.execute(CLAIM, parameters)
            claimed = cursor.fetchone()
        return claimed and self.get(pk=claimed[0])

    def complete(
        self, claimed: IdempotencyKey, *, status_code: int, headers: dict[str, str], body: Any
    ) -> bool:
        """Store what was answered; False for who was presumed dead and has lost the key."""
        answer = {"status_code": status_code, "headers": headers, "body": body}
        return self._held(claimed).update(**answer) == 1

    def release(self, claimed: IdempotencyKey) -> bool:
        """Give up a key, so that the next request with it is the first again."""
        return self._held(claimed).delete()[0] == 1

    def purge(self) -> int:
        """Delete the keys whose answers are not given again; return how many."""
        return self.filter(created_at__lte=timezone.now() - RETENTION).delete()[0]

    def _held(self, claimed: IdempotencyKey) -> Self:
        """A claim is told from a later one of the same key by when it ends."""
        return self.filter(pk=claimed.pk, status_code=None, locked_until=claimed.locked_until)


IdempotencyKeyManager = models.Manager.from_queryset(IdempotencyKeyQuerySet)
