"""Waiting at a terminal for what workers make of documents: summaries, translations."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TextIO, TypeVar
from uuid import UUID

from tqdm import tqdm

from processing.management.follow import POLL_SECONDS
from processing.models import Result

ResultT = TypeVar("ResultT", bound=Result)

#: What changes while a result is made, besides what it is.
CHANGING = ["status", "progress", "error_code", "error_message"]

BAR = "{desc} |{bar}| {percentage:3.0f} % [{elapsed}]"


def finished(
    results: Iterable[ResultT],
    *,
    description: str,
    stream: TextIO,
    check: Callable[[], None] = lambda: None,
) -> Iterator[ResultT]:
    """Yield each result once it is over, in the order given; on a terminal, show a bar until then.

    ``check`` is called at every look and may raise to stop waiting. A result that was deleted
    meanwhile is yielded as it was last seen.
    """
    waiting = list(results)
    total, over = len(waiting), 0
    with tqdm(
        total=total,
        desc=description,
        file=stream,
        bar_format=BAR,
        leave=False,
        disable=not stream.isatty(),
    ) as bar:
        while waiting:
            deleted = _refresh(waiting)
            while waiting and (waiting[0].pk in deleted or not waiting[0].is_active):
                over += 1
                with bar.external_write_mode(file=stream):
                    yield waiting.pop(0)
            bar.n = over + sum(one.progress for one in waiting)
            bar.refresh()
            if waiting:
                check()
                time.sleep(POLL_SECONDS)


def _refresh(results: list[ResultT]) -> set[UUID]:
    """Bring results up to date, with one query; return the keys of those that are gone."""
    active = [one for one in results if one.is_active]
    rows = type(results[0])._default_manager.only(*CHANGING).in_bulk([one.pk for one in active])
    for one in active:
        for name in CHANGING if one.pk in rows else ():
            setattr(one, name, getattr(rows[one.pk], name))
    return {one.pk for one in active} - rows.keys()
