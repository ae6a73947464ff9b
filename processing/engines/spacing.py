"""Words and the text they make: between words of some scripts there are no spaces.

Chinese, Japanese, Thai, Lao, Khmer, Burmese and Tibetan are written so. What decides is the script
of the letters on both sides, not the language of the transcript, so mixed text comes out right.
"""

import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise

#: Letters and marks of the blocks (Unicode 15, ``Blocks.txt``) that are written without spaces.
_SPACELESS = re.compile(
    r"[\u0e00-\u109f"  # Thai, Lao, Tibetan, Burmese
    r"\u1780-\u17ff\u19e0-\u19ff\ua9e0-\ua9ff\uaa60-\uaa7f"  # Khmer, more of Burmese
    r"\u2e80-\u312f\u31a0-\u9fff\uf900-\ufaff"  # kana, bopomofo, ideographs, their marks
    r"\ufe30-\ufe4f\uff00-\uff9f\U0001b000-\U0001b16f\U00020000-\U000323af]"
)

#: Thai and Lao vowels that are written before the consonant they follow.
_PREFIXED = frozenset("เแโใไເແໂໃໄ")

#: Khmer and Burmese signs that put the next consonant under the last.
_STACKING = frozenset("\u17d2\u1039")


def spaced(words: Iterable[str]) -> str:
    """Return words, or texts of segments, as one line."""
    line: list[str] = []
    for word in filter(None, words):
        if line and not is_spaceless(line[-1][-1], word[0]):
            line.append(" ")
        line.append(word)
    return "".join(line)


def words_of(text: str) -> list[str]:
    """Return the words of a text; where there are no spaces, each letter with its marks is one.

    ``spaced`` makes the same text of them again, but for spaces between letters of these scripts.
    """
    words: list[str] = []
    for piece in text.split():
        start = 0
        for at, (one, next_) in enumerate(pairwise(piece), start=1):
            if is_spaceless(one, next_) and _is_end(one) and _is_beginning(next_):
                words.append(piece[start:at])
                start = at
        words.append(piece[start:])
    return words


def is_letter_word(word: str) -> bool:
    """Whether a word is one of those that ``words_of`` makes where there are no spaces."""
    return is_spaceless(word[0], word[-1]) if word else False


def is_spaceless(one: str, next_: str) -> bool:
    """Whether no space is between these two letters of different words."""
    return bool(_SPACELESS.match(one) and _SPACELESS.match(next_))


def _is_end(letter: str) -> bool:
    """Whether a word may end with this letter: not with an opening bracket, say."""
    is_opening = unicodedata.category(letter) in ("Ps", "Pi")
    return not is_opening and letter not in _PREFIXED and letter not in _STACKING


def _is_beginning(letter: str) -> bool:
    """Whether a word may begin with this letter: not with a mark or a full stop."""
    category = unicodedata.category(letter)
    return category in ("Ps", "Pi") or category[0] not in "MP"
