"""Argos Translate: a stand-in for the library, which brings PyTorch along."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from processing.exceptions import ProcessingError
from processing.text_engines.argos import ArgosTranslator, argos_translator

PACKAGE = """
from types import SimpleNamespace

def get_installed_packages():
    pairs = [("en", "de"), ("de", "fr"), ("es", "en")]
    return [
        SimpleNamespace(type="translate", from_code=one, to_code=other, package_version="1.9")
        for one, other in pairs
    ] + [SimpleNamespace(type="sbd", from_code=None, to_code=None, package_version="1.0")]
"""

TRANSLATE = """
class Translation:
    def __init__(self, pair):
        self.pair = pair

    def translate(self, text):
        if text == "broken":
            raise RuntimeError("Unsupported model binary version")
        return f"{self.pair}: {text}"

def get_translation_from_codes(source, target):
    return Translation(f"{source} to {target}")
"""


@pytest.fixture
def translator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ArgosTranslator]:
    """Install the stand-in for the length of a test."""
    library = tmp_path / "argostranslate"
    library.mkdir()
    (library / "__init__.py").touch()
    (library / "package.py").write_text(PACKAGE)
    (library / "translate.py").write_text(TRANSLATE)
    metadata = tmp_path / "argostranslate-1.11.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: argostranslate\nVersion: 1.11.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    argos_translator.cache_clear()
    found = argos_translator()
    assert found is not None
    yield found
    argos_translator.cache_clear()
    for name in [name for name in sys.modules if name.startswith("argostranslate")]:
        del sys.modules[name]


def test_without_the_library_there_is_no_translator() -> None:
    argos_translator.cache_clear()

    assert argos_translator() is None


@pytest.mark.parametrize(
    ("source", "target", "can"),
    [
        pytest.param("en", "de", True, id="by one package"),
        pytest.param("es", "fr", True, id="by way of two other languages"),
        pytest.param("de", "en", False, id="the other way round"),
        pytest.param("en", "en", False, id="into its own"),
        pytest.param("", "de", False, id="from nobody knows what"),
    ],
)
def test_it_knows_the_pairs_that_packages_lead_to(
    translator: ArgosTranslator, source: str, target: str, can: bool
) -> None:
    assert translator.can_translate(source, target) is can


def test_what_does_the_translating_is_not_imported_before_that(
    translator: ArgosTranslator,
) -> None:
    translator.can_translate("en", "de")

    assert "argostranslate.translate" not in sys.modules


def test_texts_are_translated_in_order(translator: ArgosTranslator) -> None:
    translated = translator.translate(["one", "two"], source="en", target="de")

    assert translated == ["en to de: one", "en to de: two"]


def test_a_package_that_cannot_be_used_is_an_error_for_good(translator: ArgosTranslator) -> None:
    with pytest.raises(ProcessingError, match="from en to de cannot be used: Unsupported model"):
        translator.translate(["broken"], source="en", target="de")


def test_the_version_is_that_of_library_and_packages(translator: ArgosTranslator) -> None:
    version, digest = translator.version.split("-")

    assert (version, len(digest)) == ("1.11.0", 8)
