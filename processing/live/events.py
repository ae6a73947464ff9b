"""What listeners are told: one shape for everything that goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

#: How a run is doing; what was said; what was heard is void; the end of it, well or not;
#: all is well.
PROGRESS: Final = "progress"
SEGMENTS: Final = "segments"
RESTART: Final = "restart"
DONE: Final = "done"
FAILED: Final = "failed"
HEARTBEAT: Final = "heartbeat"


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell a listener; ``id``, where it has one, is where to go on after it."""

    name: str
    data: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""
