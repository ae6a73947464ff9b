"""The repository of API keys."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.contrib.auth import get_user_model
from django.db import connections, models
from django.db.models import OuterRef, Q, Subquery
from django.db.models.functions import Now

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from processing.models import ApiKey, Workspace

M = TypeVar("M", bound=models.Model)


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def in_workspace(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def of_user(self, user: User) -> Self:
        return self.filter(user=user)

    def revoke(self) -> int:
        """Have these be good for nothing from now on; return how many were not before."""
        return self.filter(revoked_at=None).update(revoked_at=Now())

    def usable(self) -> Self:
        """Those that are good now: neither revoked nor expired, of somebody who may log in."""
        is_current = Q(expires_at=None) | Q(expires_at__gt=Now())
        return self.filter(is_current, revoked_at=None, user__is_active=True)

    def usable_one(self, pk: str) -> ApiKey | None:
        """Return a key that is good now, with its workspace, its user and what they are there.

        Each request of a program begins with this. The ORM needs 2 ms of a processor for it, most
        of them to put it into words; so it does that once.
        """
        from processing.models import ApiKey, Workspace  # noqa: PLC0415  they import this module

        with connections[self.db].cursor() as cursor:
            cursor.execute(_usable_one(), [pk])
            row = cursor.fetchone()
        if row is None:
            return None
        values = list(row)
        key = _taken(ApiKey, values, self.db)
        key.user = _taken(get_user_model(), values, self.db)
        key.workspace = _taken(Workspace, values, self.db)
        [key.owner_role] = values
        return key


@cache
def _usable_one() -> str:
    """Return the statement of ``usable_one``; its parameter is the key's id."""
    from processing.models import ApiKey, Membership, Workspace  # noqa: PLC0415  as above

    here = Membership.objects.filter(workspace=OuterRef("workspace"), user=OuterRef("user"))
    keys = ApiKey.objects.usable().annotate(owner_is=Subquery(here.values("role")))
    columns = [
        *_columns(ApiKey),
        *(f"user__{name}" for name in _columns(get_user_model())),
        *(f"workspace__{name}" for name in _columns(Workspace)),
    ]
    chosen = keys.filter(pk="").order_by().values_list(*columns, "owner_is")
    statement, parameters = chosen.query.sql_with_params()
    assert parameters == ("",)  # noqa: S101  the id, and nothing else
    return str(statement)


def _columns(model: type[models.Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


def _taken(model: type[M], values: list[Any], database: str) -> M:
    """Make a row of ``model`` of the first of ``values``, and take these away."""
    names = _columns(model)
    row, values[:] = values[: len(names)], values[len(names) :]
    return model.from_db(database, names, row)


ApiKeyManager = models.Manager.from_queryset(ApiKeyQuerySet)
