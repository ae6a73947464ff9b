"""Tags: names that many entries carry, so that one write invalidates them all.

An entry remembers the version that each of its tags had before its value was made. A tag that
is invalidated gets another version, and every entry with the old one is a miss, wherever it is
kept and whatever its key.
"""

from collections.abc import Callable, Collection, Iterable

from cachebox import LRUCache

from caching.entries import Tag
from caching.exceptions import LevelIsAway

#: Carried by every entry: invalidated when the cache is cleared.
EVERYTHING = "*"

#: The most tags of which a process remembers the version.
MAX_TAGS = 100_000


class TagRegistry:
    """The versions of tags as this process knows them.

    They are known while the backplane tells of every change; unknown ones are asked for by
    ``fetch``. After a gap what is known must be distrusted.
    """

    def __init__(self, fetch: Callable[[Collection[str]], dict[str, int]]) -> None:
        self._fetch = fetch
        self._versions: LRUCache[str, int] = LRUCache(MAX_TAGS)
        self._remembered: LRUCache[str, int] = LRUCache(MAX_TAGS)
        #: Another one whenever something was invalidated, or may have been.
        self.generation = 0

    def current(self, names: Iterable[str]) -> tuple[Tag, ...]:
        """Return the tags ``names`` and ``EVERYTHING`` with the versions they have now.

        While no level can tell, those they had when one last could.
        """
        wanted = dict.fromkeys((EVERYTHING, *names))
        known = {name: self._versions.get(name) for name in wanted}
        unknown = [name for name, version in known.items() if version is None]
        if unknown:
            known |= self._learned(unknown)
        return tuple((name, known[name] or 0) for name in wanted)

    def are_current(self, tags: tuple[Tag, ...]) -> bool:
        """Whether none of the tags was invalidated since an entry got them."""
        get = self._versions.get
        for name, version in tags:
            if get(name) != version:
                return set(self.current(name for name, _ in tags)) == set(tags)
        return True

    def learn(self, versions: dict[str, int]) -> None:
        """Take note of tags that were invalidated, in whatever order that is told."""
        self.generation += 1
        for name, version in versions.items():
            if version > self._versions.get(name, 0):
                self._versions.insert(name, version)
        self.generation += 1  # again: who looked meanwhile may have seen what was before

    def distrust(self) -> None:
        """Ask again for all that is known: something may have changed that nobody told."""
        self.generation += 1
        self._remembered.update(dict(self._versions.items()))
        self._versions.clear()
        self.generation += 1

    def _learned(self, names: Collection[str]) -> dict[str, int]:
        generation = self.generation
        try:
            fetched = dict.fromkeys(names, 0) | self._fetch(names)
        except LevelIsAway:
            return {name: self._remembered.get(name, 0) for name in names}
        if generation == self.generation:  # else some of them may have changed meanwhile
            self._versions.update(fetched)
        return fetched
