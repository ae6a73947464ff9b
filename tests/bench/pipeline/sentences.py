"""Sentences of our own to be spoken: as many as are wanted, no two neighbours alike."""

import random
from collections.abc import Iterator

WHO = (
    "the old teacher", "a young doctor", "my brother", "the woman from the market",
    "our neighbor", "the captain", "a student of history", "the man at the station",
    "her daughter", "the farmer", "a friend of mine", "the new manager", "the driver",
    "that famous writer", "the boy with the red hat", "a careful engineer",
)  # fmt: skip
DID = (
    "opened the window", "read a long letter", "bought bread and apples", "crossed the river",
    "talked about the weather", "lost the keys", "built a small house", "found an old picture",
    "waited for the train", "cooked dinner for everybody", "wrote down every word",
    "walked through the garden", "asked a simple question", "closed the heavy door",
    "counted the money twice", "listened to the radio",
)  # fmt: skip
WHEN = (
    "early in the morning", "after the meeting", "before the storm began", "last winter",
    "on the second day", "when the music stopped", "while the children slept",
    "at the end of the summer", "without saying anything", "in a very small town",
    "because nobody else wanted to", "three weeks ago", "near the northern border",
    "as soon as the sun came up",
)  # fmt: skip
THEN = (
    "and nobody was surprised", "but the answer was no", "and that was a good idea",
    "so we stayed at home", "and everything changed", "but it was too late",
    "and the others followed", "which took most of the day", "and I believe it still today",
    "so the work could go on", "but the road was closed", "and they laughed about it",
)  # fmt: skip


def sentences(seed: int) -> Iterator[str]:
    """Yield sentences of some fifteen words, for ever; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311  no secrets here
    while True:
        yield " ".join(chance.choice(words) for words in (WHO, DID, WHEN, THEN))
