"""The main pages can be used by everybody: in both themes, on a phone, without scripts."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import grave_faults

PAGES = {
    "board": "/admin/",
    "recordings": "/admin/processing/recording/",
    "upload": "/admin/processing/recording/add/",
    "recording": "recording",
    "transcript": "transcript",
    "document": "document",
    "search": "/admin/processing/document/search/?q=t800",
    "jobs": "/admin/jobs/job/",
    "cache": "/admin/caching/cacheentry/statistics/",
}

every_page = pytest.mark.parametrize("name", PAGES)


def go_to(page: Page, name: str, transcript: str) -> None:
    """Open a page by its name; that of a row is of ``transcript`` or what belongs to it."""
    address = PAGES[name]
    if address.startswith("/"):
        page.goto(address)
        return
    page.goto(f"/admin/processing/transcript/{transcript}/change/")
    if name != "transcript":
        page.locator(f"#content a[href*='/{name}/'][href*='/change/']").first.click()
        page.wait_for_url(f"**/{name}/*/change/")


def in_the_dark(page: Page) -> None:
    """Open the page once more in its other theme: a change of it takes a moment to be drawn."""
    page.emulate_media(color_scheme="dark")
    page.reload()


@every_page
def test_no_page_keeps_anybody_out(page: Page, heard: str, name: str) -> None:
    go_to(page, name, heard)
    light = grave_faults(page)
    in_the_dark(page)

    assert (light, grave_faults(page)) == ([], [])


def test_the_login_keeps_nobody_out(browse: Callable[..., Page]) -> None:
    page = browse(storage_state=None)
    page.goto("/admin/login/")
    light = grave_faults(page)
    in_the_dark(page)

    assert (light, grave_faults(page)) == ([], [])


@every_page
def test_no_page_is_wider_than_a_phone(browse: Callable[..., Page], heard: str, name: str) -> None:
    page = browse(viewport={"width": 390, "height": 844}, color_scheme="dark", has_touch=True)
    go_to(page, name, heard)

    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("board", "Notices", id="board"),
        pytest.param("transcript", "t200 t300", id="transcript"),
        pytest.param("recording", "COMPLETED", id="recording"),
        pytest.param("search", "heard.wav", id="search"),
    ],
)
def test_a_page_says_what_it_has_to_without_scripts(
    browse: Callable[..., Page], heard: str, name: str, content: str
) -> None:
    page = browse(java_script_enabled=False)
    go_to(page, name, heard)

    expect(page.locator("main")).to_contain_text(content)
