"""The pictures of the documentation: ``make screenshots``.

They are of ``manage.py serve`` as people start it, with the bundled speech and the embedded engine.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "docs" / "screenshots"
SPEECH = ROOT / "processing" / "demo"

#: What the bundled recordings are called in the pictures.
NAMES = {
    "Lecture on writing things down.flac": "lesson.flac",
    "What Longhand does.flac": "longhand.flac",
    "The river, chapter 1.opus": "river.opus",
}


def main() -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory,
        serving(Path(directory)) as (address, password),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(base_url=address, viewport={"width": 1280, "height": 900})
        page.goto("/admin/login/")
        page.get_by_label("Username").fill("admin")
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url("**/admin/")
        take(
            page,
            [
                Path(shutil.copy(SPEECH / file, Path(directory, name)))
                for name, file in NAMES.items()
            ],
        )


def take(page: Page, recordings: list[Path]) -> None:
    """Upload the recordings, and take the pictures on the way."""
    page.goto("/admin/processing/recording/add/")
    page.locator("input[type=file]").set_input_files(recordings)
    page.get_by_role("button", name=re.compile("Upload|Save", re.IGNORECASE)).first.click()
    expect(page.get_by_role("link", name="Open")).to_have_count(len(recordings), timeout=60_000)
    page.screenshot(path=TARGET / "upload.png")
    page.goto("/admin/")
    expect(page.locator("main progress").first).to_be_visible()
    page.screenshot(path=TARGET / "board.png")
    page.goto("/admin/processing/transcript/")
    expect(page.get_by_text("COMPLETED")).to_have_count(len(recordings), timeout=300_000)
    page.get_by_role("link", name=re.compile("What Longhand")).click()
    page.set_viewport_size({"width": 1280, "height": 1500})
    page.wait_for_load_state("networkidle")
    page.screenshot(path=TARGET / "transcript.png")


@contextmanager
def serving(directory: Path) -> Iterator[tuple[str, str]]:
    """Run an installation of its own; yields its address and the password of ``admin``."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = directory / "serve.log"
    address = f"http://127.0.0.1:{port}"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--port", str(port)],
            cwd=ROOT,
            env=os.environ | {"LONGHAND_VAR": str(directory / "var")},
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            wait_for(lambda: is_listening(port), seconds=120)
            found = re.search(r"Password: (\S+)", log.read_text())
            assert found is not None, log.read_text()
            yield address, found[1]
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)


def is_listening(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


if __name__ == "__main__":
    main()
