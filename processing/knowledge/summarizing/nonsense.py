"""Whether what a language model wrote can be a summary at all; whether it is right nobody knows."""

import json
import re
import zlib

#: A copy of so much of a text that it is no summary of it; words.
MAX_COPIED_WORDS = 120

#: Prose packs to a half or a third; what says the same again and again, to much less.
MAX_COMPRESSION = 6.0
MIN_PACKED_BYTES = 400

#: How models begin that will not do what they are asked.
_REFUSAL = re.compile(
    r"(i['\u2019]m |i am )?(very |so |truly )?sorry\b|as an ai\b"
    r"|i (can ?not|can['\u2019]t|am unable|am not able)\b|i['\u2019]m (unable|not able)\b",
    re.IGNORECASE,
)

#: A refusal is short; a summary of a text that begins with "I am sorry" is not.
MAX_REFUSAL_CHARACTERS = 300

_MARKUP = re.compile(r"\s*(<!doctype|<html|<\?xml|<(div|p|body|head|span|h\d)[\s>])", re.IGNORECASE)


def fault_of(reply: str, *, source: str, instructions: str) -> str:
    """Return what is wrong with a reply as a summary of ``source``; empty where nothing is."""
    if not any(letter.isalpha() for letter in reply):
        return "it has no words"
    if _MARKUP.match(reply) or reply.startswith("```"):
        return "it is markup"
    if _is_json(reply):
        return "it is JSON"
    if _shares_line(reply, instructions):
        return "it repeats its instructions"
    if len(reply) < MAX_REFUSAL_CHARACTERS and _REFUSAL.match(reply):
        return "the model declines"
    data = reply.encode()
    if len(data) > MIN_PACKED_BYTES and len(data) > MAX_COMPRESSION * len(zlib.compress(data)):
        return "it says the same again and again"
    words = reply.split()
    if len(words) > MAX_COPIED_WORDS and " ".join(words) in " ".join(source.split()):
        return "it is a copy of the text"
    return ""


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


def _shares_line(reply: str, instructions: str) -> bool:
    """Whether a sentence of the instructions stands in a reply, or a word that marks the text."""
    sentences = [one for one in re.split(r"(?<=[.:;])\s+", instructions) if len(one) > 30]
    marks = re.findall(r"#[0-9a-f]{16}#", instructions)
    return any(one in reply for one in [*sentences, *marks])
