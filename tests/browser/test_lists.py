"""Lists: filtered, acted on, exported."""

import csv
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.installation import Installation

Recorder = Callable[..., Path]


def test_a_list_is_filtered(page: Page, heard: str) -> None:
    page.goto("/admin/processing/transcript/")
    page.locator("#changelist-filter").get_by_role("link", name="PARTIAL").click()
    page.wait_for_url("**status*PARTIAL*")

    expect(page.locator("#result_list .badge", has_text="COMPLETED")).to_have_count(0)


def test_what_is_selected_is_deleted_once_that_is_confirmed(
    page: Page, installation: Installation, recording: Recorder
) -> None:
    installation.transcribe(recording(name="unwanted"))
    page.goto("/admin/processing/recording/")
    page.get_by_role("row").filter(has_text="unwanted.wav").get_by_role("checkbox").check()
    page.locator("select[name=action]").select_option("delete_selected")
    page.get_by_role("button", name="Go", exact=True).click()
    expect(page.locator("#content")).to_contain_text("unwanted.wav")

    page.locator("#content [type=submit]").click()

    expect(page.locator(".messagelist")).to_contain_text("1")
    expect(page.locator("#result_list")).not_to_contain_text("unwanted.wav")


def test_a_filtered_list_is_exported_as_csv(page: Page, heard: str) -> None:
    page.goto("/admin/processing/transcript/?status__exact=COMPLETED")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()

    rows = list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))
    assert "heard.wav" in {value for row in rows for value in row.values()}
