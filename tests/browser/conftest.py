"""Browsers before a running installation; each test leaves pictures of how its pages ended.

They are in ``var/screenshots``, beside a trace of each test that failed
(``playwright show-trace``).
"""

import itertools
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from config import env
from tests.browser.installation import USER, Installation, running_installation
from tests.fakes.tones import tones, write_tones

CHROMIUM = shutil.which("chromium")
SCREENSHOTS = env.VAR / "screenshots"
HERE = Path(__file__).parent

#: How long a page has to become what a test waits for.
PATIENCE_MS = 30_000

expect.set_options(timeout=PATIENCE_MS)

_FREQUENCIES = itertools.count(210)

FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put these tests first: they share an installation, which is then stopped for the others.

    While Playwright runs, Django also takes its thread for one that must not ask a database.
    """
    items.sort(key=lambda item: HERE not in item.path.parents)
    if CHROMIUM is None:
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="needs Chromium (apt install chromium)"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Any:
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


class Faults:
    """What went wrong in the pages of a test; all but what is expected fails it."""

    def __init__(self) -> None:
        self._found: list[str] = []
        self._expected: list[str] = []

    def expect(self, pattern: str) -> None:
        """Let pass what matches, for a test that makes something go wrong."""
        self._expected.append(pattern)

    def watch(self, context: BrowserContext, address: str) -> None:
        """Note errors of scripts, of the console, and requests to another host."""

        def note_console(message: Any) -> None:
            if message.type == "error":
                self._found.append(f"console: {message.text} {message.location['url']}")

        def note_request(request: Any) -> None:
            if not request.url.startswith((address, "data:", "blob:")):
                self._found.append(f"request to another host: {request.url}")

        context.on("console", note_console)
        context.on("weberror", lambda error: self._found.append(f"script: {error.error}"))
        context.on("request", note_request)

    def unexpected(self) -> list[str]:
        return [
            fault
            for fault in self._found
            if not any(re.search(pattern, fault) for pattern in self._expected)
        ]


@pytest.fixture(scope="package")
def installation(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: None
) -> Iterator[Installation]:
    log = tmp_path_factory.mktemp("installation") / "serve.log"
    with running_installation(log) as installation:
        yield installation


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def login(chromium: Browser, installation: Installation) -> Any:
    """What a browser keeps of who has logged in."""
    with chromium.new_context(base_url=installation.address) as context:
        page = context.new_page()
        page.goto("/admin/login/")
        page.get_by_label("Username").fill(USER)
        page.get_by_label("Password").fill(installation.password)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url("**/admin/")
        return context.storage_state()


@pytest.fixture(scope="package")
def heard(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of a transcript of which all was heard: ``t200 t300 ...``, two words a second."""
    path = tmp_path_factory.mktemp("heard") / "heard.wav"
    return installation.transcribe(write_tones(path, [tones(20)], 20))


@pytest.fixture
def recording(tmp_path: Path) -> Callable[..., Path]:
    """Return what makes a recording that nobody else has made."""

    def recording(seconds: float = 10, name: str = "meeting") -> Path:
        # a word of another frequency each time makes another content
        unique = (next(_FREQUENCIES), 0.1, 0.3)
        return write_tones(tmp_path / f"{name}.wav", [[unique, *tones(seconds)]], seconds)

    return recording


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def browse(
    chromium: Browser,
    installation: Installation,
    login: Any,
    faults: Faults,
    request: pytest.FixtureRequest,
) -> Iterator[Callable[..., Page]]:
    """Return what opens a page in a browser of its own; keywords are options of its context."""
    contexts: list[BrowserContext] = []

    def browse(**options: Any) -> Page:
        options = {"viewport": {"width": 1280, "height": 800}, "storage_state": login} | options
        context = chromium.new_context(base_url=installation.address, **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.tracing.start(screenshots=False, snapshots=True)
        faults.watch(context, installation.address)
        return context.new_page()

    yield browse

    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^\w-]+", "-", request.node.name).strip("-")
    has_failed = request.node.stash.get(FAILED, False)
    for number, context in enumerate(contexts, start=1):
        picture = SCREENSHOTS / f"{name}-{number}.png"
        for page in context.pages:
            # to hide the caret it would add a style, which the pages' policy forbids
            page.screenshot(path=picture, full_page=True, caret="initial")
        context.tracing.stop(path=picture.with_suffix(".zip") if has_failed else None)
        context.close()
    assert faults.unexpected() == []


@pytest.fixture
def page(browse: Callable[..., Page]) -> Page:
    """A page of who has logged in."""
    return browse()


@pytest.fixture(autouse=True)
def _as_it_was(installation: Installation) -> None:
    """Leave the engine to itself again."""
    installation.rehearse()
