"""About how many tokens a text is, without the model's own tokenizer: that would be a download.

Models differ, so this is rather too much for all of them. Per letter: 1/3 token of ASCII (English
has 4 letters to a token in OpenAI's ``cl100k_base``, German about 3), 1 of other alphabets of two
bytes (Cyrillic, Greek, Arabic, Hebrew), 1.5 of what UTF-8 writes in three bytes (Chinese,
Japanese, Korean, Thai, Devanagari), 3 of the rest. Digits and marks are a token each. A server
whose tokenizer makes more of it refuses with its context exceeded, which is ``TooLarge``.
"""

import math
from typing import Final

import numpy as np

#: What a request has besides its texts, for each message: role and separators.
MESSAGE_TOKENS = 6

_LETTER, _MARK, _TWO_BYTES, _THREE_BYTES, _FOUR_BYTES = 1 / 3, 1.0, 1.0, 1.5, 3.0
_ASCII: Final = np.array(
    [_LETTER if chr(code).isalpha() or chr(code).isspace() else _MARK for code in range(128)]
)


def estimated_tokens(text: str) -> int:
    """Return how many tokens ``text`` is at most with most models; 0 only for an empty text."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    is_ascii = codes < 0x80
    tokens = _ASCII[codes[is_ascii]].sum()
    tokens += _TWO_BYTES * np.count_nonzero(~is_ascii & (codes < 0x800))
    tokens += _THREE_BYTES * np.count_nonzero((codes >= 0x800) & (codes < 0x10000))
    tokens += _FOUR_BYTES * np.count_nonzero(codes >= 0x10000)
    return math.ceil(float(tokens))
