"""The board: what is on it changes by itself, and says when it no longer can."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.installation import Installation

Recorder = Callable[..., Path]


def test_a_new_recording_comes_onto_the_board_by_itself(
    page: Page, installation: Installation, recording: Recorder
) -> None:
    installation.rehearse(seconds_per_clip=4)
    page.goto("/admin/")
    expect(page.locator("main")).not_to_contain_text("appears.wav")

    installation.submit(recording(name="appears"))

    expect(page.locator("main")).to_contain_text("appears.wav")


def test_a_board_that_hears_nothing_says_that_it_is_stale(
    page: Page, installation: Installation
) -> None:
    page.goto("/admin/")

    with installation.frozen():
        expect(page.get_by_text("stale", exact=False).first).to_be_visible(timeout=30_000)

    expect(page.get_by_text("stale", exact=False).first).to_be_hidden(timeout=30_000)
