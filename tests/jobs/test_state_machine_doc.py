"""docs/state_machine.md says what ``TRANSITIONS`` says."""

from jobs.choices import TRANSITIONS
from jobs.management.commands.document_state_machine import PATH, WHO, state_machine


def test_the_document_says_what_the_code_does() -> None:
    assert PATH.read_text() == state_machine(), "write it anew with: make state-machine"


def test_of_every_event_it_is_known_who_makes_it_happen() -> None:
    assert set(WHO) == set(TRANSITIONS)


def test_every_transition_is_an_arrow() -> None:
    arrows = {
        f"    {source} --> {target}: {event}"
        for event, (sources, target) in TRANSITIONS.items()
        for source in sources
    }

    assert arrows <= set(state_machine().splitlines())
