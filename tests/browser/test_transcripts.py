"""A transcript from its first chunk to its last correction, on its page."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.installation import Installation
from tests.waiting import wait_for

Recorder = Callable[..., Path]


def address_of(transcript: str) -> str:
    return f"/admin/processing/transcript/{transcript}/change/"


def test_a_run_is_watched_to_its_end_without_reloading(
    page: Page, installation: Installation, recording: Recorder
) -> None:
    installation.rehearse(seconds_per_clip=1)
    page.goto(address_of(installation.submit(recording(40))))

    expect(page.locator("#content .badge").first).not_to_have_text("COMPLETED")
    expect(page.locator("#text .segment").first).to_be_visible()
    expect(page.locator("#content .badge").first).to_have_text("COMPLETED")

    expect(page.locator("#text")).to_contain_text("t200 t300 t400 t500 t600")


def test_a_click_on_a_word_plays_from_it(page: Page, heard: str) -> None:
    page.goto(address_of(heard))
    word = page.locator("#text .word", has_text="t800").first
    start = float(word.get_attribute("data-start") or "nan")

    word.click()

    page.wait_for_function(
        "start => Math.abs(document.querySelector('audio').currentTime - start) < 1", arg=start
    )


def test_a_word_is_corrected_where_it_stands(
    page: Page, installation: Installation, recording: Recorder
) -> None:
    page.goto(address_of(installation.transcribe(recording(8))))
    page.locator("#text .segment", has_text="t500").first.dblclick()
    field = page.get_by_role("textbox", name="Text of the segment")
    field.fill(field.input_value().replace("t500", "hello"))
    field.press("Enter")

    expect(page.locator("#text-status")).to_have_text("Saved as version 2.")
    page.reload()
    expect(page.locator("#text .word", has_text="hello")).to_be_visible()


def test_a_gap_is_heard_again(page: Page, installation: Installation, recording: Recorder) -> None:
    installation.rehearse(fail_at=[1])
    transcript = installation.submit(recording(40))
    wait_for(lambda: installation.status_of(transcript) in ("PARTIAL", "FAILED"))
    installation.rehearse()
    page.goto(address_of(transcript))
    expect(page.locator("#text .gap")).to_have_count(1)

    page.get_by_role("button", name="Hear the gaps again").click()

    expect(page.locator("#content .badge").first).to_have_text("COMPLETED")
    expect(page.locator("#text .gap")).to_have_count(0)


def test_a_run_is_cancelled(page: Page, installation: Installation, recording: Recorder) -> None:
    installation.rehearse(seconds_per_clip=3)
    page.goto(address_of(installation.submit(recording(40))))

    page.get_by_role("button", name="Cancel").click()

    expect(page.locator("#content .badge").first).to_have_text("CANCELLED")
