"""``manage.py cache_stats``: how the cache is doing, for people and for programs."""

import json
from typing import Any

from django.core.management.base import CommandParser

from caching.backend import get_cache
from caching.management.terminal import CacheCommand
from caching.presentation import NOTHING, health_line, ratio, size
from caching.report import CACHE_EVENTS, LEVEL_EVENTS, report_of

LEVEL_HEAD = ["level", "prefix", "entries", "bytes", "hit ratio", *LEVEL_EVENTS]
CACHE_HEAD = ["prefix", *CACHE_EVENTS, "load_seconds"]


class Command(CacheCommand):
    help = (
        "Print how each level of the cache is doing, what it holds and what it did, in total and "
        "by prefix. Memory is that of this command alone, which has just begun. A level that is "
        "away is said on standard error. Exit status: 0 done, 1 failed, 2 wrong usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", choices=["table", "json"], default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        cache = get_cache()
        self.levels_away(cache)
        report = report_of(cache.hierarchy)
        if options["format"] == "json":
            self.stdout.write(json.dumps(report, indent=2))
            return
        for health in cache.health():
            name = next(x["name"] for x in report["levels"] if x["level"] == health.level)
            self.stdout.write(f"{name} {health_line(health, name).removeprefix(f'{name} ')}")
        levels = [
            level_row(level["name"], figures)
            for level in report["levels"]
            for figures in (level, *level["prefixes"])
        ]
        self.stdout.write(f"\n{table(LEVEL_HEAD, levels)}\n\n")
        rows = [cache_row(figures) for figures in (report, *report["prefixes"])]
        self.stdout.write(table(CACHE_HEAD, rows))


def level_row(name: str, figures: dict[str, Any]) -> list[str]:
    """Return the cells of what a level has of a prefix, or of all."""
    entries = figures["entries"]
    return [
        name,
        _prefix(figures),
        NOTHING if entries is None else str(entries),
        size(figures["size_bytes"]),
        ratio(figures["hit_ratio"]),
        *(str(figures[event]) for event in LEVEL_EVENTS),
    ]


def cache_row(figures: dict[str, Any]) -> list[str]:
    """Return the cells of what the cache did for a prefix, or for all."""
    counts = (str(figures[event]) for event in CACHE_EVENTS)
    return [_prefix(figures), *counts, f"{figures['load_seconds']:.1f}"]


def _prefix(figures: dict[str, Any]) -> str:
    return (figures["prefix"] or "(none)") if "prefix" in figures else "all"


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return lines with columns under each other."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in [head, *rows]
    )
