"""``manage.py document_state_machine``: write down what may happen to work."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from jobs.choices import INITIAL, MEANING, TERMINAL, TRANSITIONS

PATH = Path(settings.BASE_DIR) / "docs" / "state_machine.md"

#: event -> who makes it happen.
WHO = {
    "claim": "a worker, in the order of deadlines",
    "complete": "the worker that holds it, with its result",
    "fail": "the worker that holds it, or a rescue, for poison",
    "retry": "the worker that holds it, after a transient error",
    "rescue": "the supervisor of a worker that ended, else a sweep, once the lease ran out",
    "promote": "a sweep, once it is due",
    "unblock": "whoever completes the last job that it was to follow",
    "expire": "a sweep, once its time to begin is over",
    "cancel": "whoever no longer wants it, or the end of a job that it was to follow",
    "requeue": "people and programs",
}


class Command(BaseCommand):
    help = "Write docs/state_machine.md anew from jobs.choices.TRANSITIONS."

    def handle(self, *args: Any, **options: Any) -> None:
        PATH.write_text(state_machine())
        self.stdout.write(f"Wrote {PATH}.")


def state_machine() -> str:
    """Return the document of the state machine of all work."""
    arrows = [
        *(f"[*] --> {status}" for status in INITIAL),
        *(
            f"{source} --> {target}: {event}"
            for event, (sources, target) in TRANSITIONS.items()
            for source in sources
        ),
        *(f"{status} --> [*]" for status in TERMINAL),
    ]
    statuses = [
        f"| {status} | {meaning} | {_mark(status in INITIAL)} | {_mark(status in TERMINAL)} |"
        for status, meaning in MEANING.items()
    ]
    events = [
        f"| {event} | {', '.join(sources)} | {target} | {WHO[event]} |"
        for event, (sources, target) in TRANSITIONS.items()
    ]
    return "\n".join(
        [
            "# The state machine of work",
            "",
            "Jobs and chunks share it. `make state-machine` writes this page from",
            "`jobs.choices.TRANSITIONS`; it is not changed by hand.",
            "",
            "```mermaid",
            "stateDiagram-v2",
            *(f"    {arrow}" for arrow in arrows),
            "```",
            "",
            "| status | the work in it | begins here | ends here |",
            "|---|---|---|---|",
            *statuses,
            "",
            "| event | from | to | who does it |",
            "|---|---|---|---|",
            *events,
            "",
            "An event is one guarded UPDATE: it changes a row only in a status that it leads from,",
            "and the outcome of a run only while its attempt is the current one.",
            "",
        ]
    )


def _mark(is_so: bool) -> str:
    return "yes" if is_so else ""
