"""What is asked of the entries in PostgreSQL by those who look at them, not by the cache."""

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

if TYPE_CHECKING:
    from caching.models import CacheEntry  # noqa: F401  named in string annotations


class CacheEntryQuerySet(models.QuerySet["CacheEntry"]):
    """Entries that are held, and such as nobody can have any more; all by the database's clock."""

    def without_payloads(self) -> Self:
        """Read no values, which may be large."""
        return self.defer("payload")

    def with_prefix(self, prefix: str) -> Self:
        return self.filter(prefix=prefix)

    def with_tag(self, name: str) -> Self:
        return self.filter(tags__contains=[name]).exclude(tags=[])  # as the index has it

    def fresh(self) -> Self:
        """Values that have not expired."""
        return self.filter(
            Q(expires_at__isnull=True) | Q(expires_at__gt=Now()), payload__isnull=False
        )

    def stale(self) -> Self:
        """Values that have expired and are kept, for when no others are to be had."""
        return self._kept().filter(payload__isnull=False, expires_at__lte=Now())

    def tombstones(self) -> Self:
        """What says of a key that its value was deleted."""
        return self._kept().filter(payload__isnull=True)

    def expired(self) -> Self:
        """What nobody can have any more, and ``purge`` removes."""
        return self.filter(discard_at__lte=Now())

    def recently_used(self) -> Self:
        return self.order_by("-accessed_at")

    def most_used(self) -> Self:
        """The most read first, then the most recently read; reads them all to sort them."""
        return self.order_by("-access_count", "-accessed_at", "key")

    def _kept(self) -> Self:
        return self.filter(Q(discard_at__isnull=True) | Q(discard_at__gt=Now()))


CacheEntryManager = models.Manager.from_queryset(CacheEntryQuerySet)
