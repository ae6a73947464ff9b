"""Asking a translator for no text twice, and believing nothing that cannot be a translation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from caching.backend import get_cache
from caching.keys import ContentAddresser
from processing.engines.spacing import is_spaceless, spaced
from processing.exceptions import BadAnswer
from processing.text_engines.base import Translator

#: What was translated is in the cache for so long.
KEPT_FOR = timedelta(days=30)

#: Of what was said before a text its translator is told so much.
BEFORE_CHARACTERS = 300

#: A translation has at most so many times as many letters as its text, and its text as many times
#: more than it; a short one may have some more. Letters of scripts without spaces count for three.
MOST_TIMES = 4.0
SLACK_LETTERS = 60
LETTERS_OF_ONE = 3


@dataclass(frozen=True)
class CachedTranslator:
    """One pair of languages, for one ``owner`` that shares its cache with no other.

    What is cached belongs to all of ``tags`` and goes with any of them.
    """

    translator: Translator
    source: str
    target: str
    owner: str
    tags: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.translator.name

    def translate(self, texts: Sequence[str], *, before: str = "") -> list[str]:
        """Return the translation of each text; of one without letters that is the text.

        ``before`` is what was said before them. An answer that can be no translation is asked for
        again alone, once; raises ``BadAnswer`` after that.
        """
        keys = {text: self._key(text) for text in texts if any(map(str.isalpha, text))}
        known = get_cache().get_many(keys.values())
        missing = [text for text, key in keys.items() if key not in known]
        if missing:
            said = spaced([before, *texts[: texts.index(missing[0])]])[-BEFORE_CHARACTERS:]
            made = {keys[text]: answer for text, answer in self._made(missing, said)}
            get_cache().set_many(made, KEPT_FOR.total_seconds(), tags=self.tags)
            known |= made
        return [str(known[keys[text]]) if text in keys else text for text in texts]

    def _key(self, text: str) -> str:
        asked = {
            "owner": self.owner,
            "source": self.source,
            "target": self.target,
            "translator": self.translator.name,
            "version": self.translator.version,
        }
        return ContentAddresser().key("translation", text, asked)

    def _made(self, texts: Sequence[str], before: str) -> list[tuple[str, str]]:
        answers = self._asked(texts, before)
        if len(answers) != len(texts):
            answers = self._asked(texts, before)
        if len(answers) != len(texts):
            raise BadAnswer(
                f"{self.name} was asked twice for {len(texts)} translations and gave {len(answers)}"
            )
        return [
            (text, answer if is_plausible(text, answer) else self._asked_again(text))
            for text, answer in zip(texts, answers, strict=True)
        ]

    def _asked_again(self, text: str) -> str:
        answers = self._asked([text], "")
        if len(answers) != 1 or not is_plausible(text, answers[0]):
            raise BadAnswer(
                f"{self.name} was asked twice for the translation of a text of {len(text)} "
                f"characters and gave {sum(map(len, answers))}, which cannot be one"
            )
        return answers[0]

    def _asked(self, texts: Sequence[str], before: str) -> list[str]:
        return self.translator.translate(
            texts, source=self.source, target=self.target, before=before
        )


def is_plausible(text: str, translation: str) -> bool:
    """Whether this may be a translation of a text, by how long they are, and can be stored."""
    if not translation.strip() or "\0" in translation:
        return False
    one, other = _letter_count(text), _letter_count(translation)
    return max(one, other) <= MOST_TIMES * min(one, other) + SLACK_LETTERS


def _letter_count(text: str) -> int:
    return sum(LETTERS_OF_ONE if is_spaceless(letter, letter) else 1 for letter in text)
