"""Order as a deadline: what was promised first is done first, and nothing starves."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from jobs.choices import JobPriority

PATIENCE = {
    JobPriority.URGENT: timedelta(0),
    JobPriority.HIGH: timedelta(seconds=30),
    JobPriority.NORMAL: timedelta(minutes=5),
    JobPriority.LOW: timedelta(hours=1),
}


@dataclass(frozen=True)
class PriorityManager:
    """Turns a priority into a deadline, fixed when the work is created.

    A low job's deadline comes nearer with time while new jobs' deadlines move on: that is
    the ageing other queues recompute. ``stride`` moves the parts of one large job apart, so
    that large and small jobs share the workers.
    """

    patience: dict[JobPriority, timedelta] = field(default_factory=lambda: PATIENCE)
    stride: timedelta = timedelta(seconds=5)

    def due_by(
        self, available_at: datetime, priority: JobPriority | int, *, index: int = 0
    ) -> datetime:
        """Return the deadline of part ``index`` of work that may start at ``available_at``."""
        return available_at + self.patience[JobPriority(priority)] + index * self.stride
