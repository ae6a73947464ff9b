"""How every benchmark reports: ours beside a limit or a peer, and whether it is met."""

import math
import sys
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """One figure; ``ratio`` is ours over theirs, and ``limit`` what it may be.

    Without a limit it is there to be read beside the others.
    """

    name: str
    ours: float
    theirs: float
    unit: str
    limit: float | None = None
    is_less_better: bool = True

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs if self.theirs else math.inf

    @property
    def is_met(self) -> bool:
        assert self.limit is not None
        return self.ratio <= self.limit if self.is_less_better else self.ratio >= self.limit


@dataclass
class Table:
    """Collects rows, printing each as it comes; ``finish`` prints all and exits."""

    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        self.rows.append(row)
        sys.stderr.write(f"{_line(row)}\n")

    def finish(self) -> None:
        """Print the table and ``met N of M``; exit 1 when a figure is not met."""
        header = f"{'figure':58} {'ours':>10} {'limit/peer':>10} {'ratio':>7} {'wanted':>8}  met"
        sys.stdout.write(f"\n{header}\n")
        for row in self.rows:
            sys.stdout.write(f"{_line(row)}\n")
        limited = [row for row in self.rows if row.limit is not None]
        met = sum(row.is_met for row in limited)
        sys.stdout.write(f"met {met} of {len(limited)}\n")
        sys.exit(met < len(limited))


def _line(row: Row) -> str:
    wanted, met = "", ""
    if row.limit is not None:
        wanted = f"{'<=' if row.is_less_better else '>='} {row.limit:.2f}"
        met = "yes" if row.is_met else "NO"
    line = (
        f"{f'{row.name} [{row.unit}]':58} {row.ours:10.2f} {row.theirs:10.2f} "
        f"{row.ratio:7.3f} {wanted:>8}  {met}"
    )
    return line.rstrip()
