"""Argos Translate: models that run here, so that no text leaves the house.

The library is not imported before it is used: it brings PyTorch along. Its packages (one for each
pair of languages) are installed by its own command ``argospm``.
"""

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import version as package_version
from importlib.util import find_spec

from processing.exceptions import ProcessingError

LIBRARY = "argostranslate"


@cache
def argos_translator() -> "ArgosTranslator | None":
    """Return this process's translator, None where the library is not installed."""
    return ArgosTranslator() if find_spec(LIBRARY) is not None else None


class ArgosTranslator:
    """Translates by the packages that are installed, by way of a third language if need be."""

    name = "argos"

    def __init__(self) -> None:
        packages = import_module(f"{LIBRARY}.package").get_installed_packages()
        of_pairs = [each for each in packages if each.type == "translate"]
        self._pairs = {(each.from_code, each.to_code) for each in of_pairs}
        installed = sorted(f"{e.from_code}-{e.to_code}-{e.package_version}" for e in of_pairs)
        digest = hashlib.sha256("\n".join(installed).encode()).hexdigest()
        self.version = f"{package_version(LIBRARY)}-{digest[:8]}"

    def can_translate(self, source: str, target: str) -> bool:
        """Say whether packages lead from one language to the other, if it is known which."""
        reached = {source}
        while further := {to for begin, to in self._pairs if begin in reached} - reached:
            reached |= further
        return bool(source) and source != target and target in reached

    def translate(
        self, texts: Sequence[str], *, source: str, target: str, before: str = ""
    ) -> list[str]:
        """Return a translation of each text, in order; ``before`` makes no difference.

        Raises ``ProcessingError`` when a package cannot be used.
        """
        try:
            library = import_module(f"{LIBRARY}.translate")
            translation = library.get_translation_from_codes(source, target)
            return [translation.translate(text) for text in texts]
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            raise ProcessingError(
                f"the Argos packages from {source} to {target} cannot be used: {error}"
            ) from error
