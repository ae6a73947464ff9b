"""What a language model wrote and cannot be a summary."""

import pytest

from processing.knowledge.summarizing.nonsense import fault_of
from processing.knowledge.summarizing.prompts import Task, messages_for

SOURCE = " ".join(f"word{n * 7_919 % 10_007}" for n in range(400))
[RULES, TEXT] = messages_for(Task.PART, SOURCE, language="en", words=100)


def fault(reply: str) -> str:
    return fault_of(reply, source=SOURCE, instructions=RULES.content)


@pytest.mark.parametrize(
    "reply",
    [
        "The speaker lists a hundred sentences.",
        "I am sorry was the first thing he said. " + "Then he explained the plan. " * 12,
        "Prices rose by 4 % [source: the bank] and {so on}.",
        "一百句话。",
        "מאה משפטים.",
        "She was not sorry.",
        "42 sentences.",
    ],
)
def test_a_summary_is_nothing_to_complain_of(reply: str) -> None:
    assert fault(reply) == ""


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "no words"),
        ("42 ... 17!", "no words"),
        ("<!DOCTYPE html><html><body>Busy</body></html>", "markup"),
        ("<div>A summary</div>", "markup"),
        ("```\nA summary\n```", "markup"),
        ('{"summary": "A hundred sentences."}', "JSON"),
        ('["A", "B"]', "JSON"),
        ("I'm sorry, but I can't help with that.", "declines"),
        ("I cannot summarise this text.", "declines"),
        ("As an AI language model, I do not read.", "declines"),
        ("the same words " * 200, "same again"),
        (RULES.content, "instructions"),
        (TEXT.content[:40], "instructions"),
        (SOURCE, "copy"),
        (SOURCE[:2000], "copy"),
    ],
    ids=range(15),
)
def test_what_is_none_is_told_why(reply: str, reason: str) -> None:
    assert reason in fault(reply)


def test_the_text_stands_between_words_that_it_cannot_contain() -> None:
    one, other = (messages_for(Task.WHOLE, SOURCE, language="de", words=9) for _ in range(2))

    mark = one[1].content.splitlines()[0]
    assert one[1].content == f"{mark}\n{SOURCE}\n{mark}"
    assert mark in one[0].content
    assert mark not in other[1].content
    assert "German" in one[0].content
