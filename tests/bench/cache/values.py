"""What is cached in the benchmark: a dictionary with a list of dictionaries in it."""

from typing import Any

#: Of so many segments a value is about 1 KB, or 100 KB, as msgpack and as pickle.
SIZES = {"1 KB": 12, "100 KB": 1200}


def transcript(segment_count: int) -> dict[str, Any]:
    """Return a value of about 100 bytes for each segment."""
    return {
        "language": "en",
        "segments": [
            {
                "start": 2.5 * index,
                "end": 2.5 * index + 2.25,
                "speaker": index % 3,
                "text": f"segment {index} says a few words and ends in time",
            }
            for index in range(segment_count)
        ],
    }
