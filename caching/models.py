"""What PostgreSQL keeps for the cache: entries, versions of tags, repairs and counts."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Coalesce, Now

from caching.managers import CacheEntryManager


class CacheEntry(models.Model):
    """An entry as ``caching.entries`` has it; written by ``caching.levels.database`` alone.

    ``payload`` is what ``caching.codec`` packs of an entry that is only a value, compressed when
    it is large. It is None for a tombstone, whose ``expires_at`` says whether it took the place of
    a fresh value. ``accessed_at`` is when it was last read, an hour early at most, and before that
    when it was first written.
    """

    key = models.TextField(primary_key=True, db_collation="C")
    prefix = models.TextField(blank=True, db_default="")
    payload = models.BinaryField(null=True, blank=True)
    version = models.BigIntegerField()
    stored_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    discard_at = models.DateTimeField(null=True, blank=True)
    size_bytes = models.GeneratedField(
        expression=Coalesce(Func("payload", function="octet_length"), 0),
        output_field=models.IntegerField(),
        db_persist=True,
    )
    tags = ArrayField(models.TextField(), blank=True, default=list, db_default=[])
    tag_versions = ArrayField(models.BigIntegerField(), blank=True, default=list, db_default=[])
    access_count = models.BigIntegerField(default=0, db_default=0)
    accessed_at = models.DateTimeField(db_default=Now())

    objects = CacheEntryManager()

    class Meta:
        db_table = "cache_entries"
        ordering = ["key"]
        verbose_name_plural = "cache entries"
        constraints = [
            models.CheckConstraint(
                name="cache_entry_not_discarded_before_it_expires",
                condition=Q(discard_at__gte=F("expires_at")),
            ),
            models.CheckConstraint(
                name="cache_entry_tombstone_is_discarded",
                condition=Q(payload__isnull=False) | Q(discard_at__isnull=False),
            ),
            models.CheckConstraint(
                name="cache_entry_one_version_per_tag",
                condition=Q(tags__len=F("tag_versions__len")),
            ),
        ]
        indexes = [
            models.Index(
                "discard_at", name="cache_entry_ending_idx", condition=Q(discard_at__isnull=False)
            ),
            models.Index("prefix", "accessed_at", name="cache_entry_recent_idx"),
            GinIndex(fields=["tags"], name="cache_entry_tags_idx", condition=~Q(tags=[])),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def is_tombstone(self) -> bool:
        """Whether it says only that there is nothing: no value takes no bytes."""
        return bool(self.size_bytes == 0)


class CacheTag(models.Model):
    """A tag and the version without which an entry that bears it is invalid."""

    name = models.TextField(primary_key=True, db_collation="C")
    version = models.BigIntegerField()

    class Meta:
        db_table = "cache_tags"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class CacheRepair(models.Model):
    """A key, or a marked tag, that was written while the other shared level was away."""

    name = models.TextField(primary_key=True, db_collation="C")

    class Meta:
        db_table = "cache_repairs"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class CacheCounter(models.Model):
    """How often something happened at a level to keys of a prefix, in all processes together."""

    level = models.TextField()
    prefix = models.TextField(blank=True)
    event = models.TextField()
    count = models.BigIntegerField(default=0)

    class Meta:
        db_table = "cache_counters"
        ordering = ["level", "prefix", "event"]
        constraints = [
            models.UniqueConstraint(
                name="cache_counter_one_per_event", fields=["level", "prefix", "event"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.level} {self.prefix} {self.event}"
