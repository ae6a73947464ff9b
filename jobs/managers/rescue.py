"""What became of work that had lost its worker."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Rescue:
    """What a rescue did: ids that went back to their queue, and ids given up as poison."""

    requeued: tuple[UUID, ...] = ()
    poisoned: tuple[UUID, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.requeued or self.poisoned)
