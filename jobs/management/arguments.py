"""Types of command-line arguments."""

import argparse
import json
import re
import sys
from datetime import timedelta
from typing import Any

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

#: The longest length of time that is taken for no slip of the finger.
MAX_DURATION = timedelta(days=36_500)


def positive(text: str) -> int:
    """Parse a number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def duration(text: str) -> timedelta:
    """Parse a length of time: a whole number of at least 1 and its unit."""
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no length of time; write 90s, 45m, 12h or 30d"
        )
    span = timedelta(**{UNITS[match[2]]: int(match[1])})
    if not timedelta() < span <= MAX_DURATION:
        raise argparse.ArgumentTypeError(f"{text} is not between 1s and {MAX_DURATION.days}d")
    return span


def json_object(text: str) -> dict[str, Any]:
    """Parse a JSON object; ``-`` reads it from standard input."""
    try:
        value = json.loads(sys.stdin.read() if text == "-" else text)
    except (ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"this is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("this is JSON, but not an object")
    return value
