"""``python -m tests.bench.queue [PART ...]``: run parts of the benchmark of the queue."""

from pathlib import Path

from tests.bench.launching import launch
from tests.bench.queue.scoreboard import VARIABLE, Scoreboard
from tests.bench.queue.tasks import SPIN_VARIABLE, calibrated_turns


def main() -> None:
    launch("tests.bench.queue.suite", settings="tests.bench.queue.settings", prepare=_prepare)


def _prepare(memory: Path) -> dict[str, str]:
    board = memory / "board"
    Scoreboard.create(board)
    return {VARIABLE: str(board), SPIN_VARIABLE: str(calibrated_turns())}


if __name__ == "__main__":
    main()
