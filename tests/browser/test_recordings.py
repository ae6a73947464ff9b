"""The page of a recording."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.installation import Installation

Recorder = Callable[..., Path]


def open_recording(page: Page, name: str) -> None:
    page.goto("/admin/processing/recording/")
    page.get_by_role("link", name=name).click()


def test_the_original_is_downloaded_under_its_name(
    page: Page, installation: Installation, recording: Recorder
) -> None:
    path = recording(name="original")
    installation.submit(path)
    open_recording(page, "original.wav")

    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()

    assert download.value.suggested_filename == "original.wav"
    assert Path(download.value.path()).read_bytes() == path.read_bytes()


def test_its_transcripts_move_while_they_are_made(
    page: Page, installation: Installation, recording: Recorder
) -> None:
    installation.rehearse(seconds_per_clip=3)
    installation.submit(recording(name="moving"))
    open_recording(page, "moving.wav")

    expect(page.locator(".recording-transcripts .badge")).not_to_have_text("COMPLETED")
    expect(page.locator(".recording-transcripts .badge")).to_have_text("COMPLETED")
