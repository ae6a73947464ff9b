"""Uploading as people do: several files, dropped or chosen, on lines that break."""

import base64
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Dialog, Page, Response, Route, expect

from tests.browser.conftest import Faults

ADD = "/admin/processing/recording/add/"

Recorder = Callable[..., Path]

#: Makes what a drop carries, of files in Base64.
DROPPED = """files => {
  const carried = new DataTransfer();
  for (const {name, content} of files) {
    const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0));
    carried.items.add(new File([bytes], name, {type: "audio/wav"}));
  }
  return carried;
}"""


def drop(page: Page, *paths: Path) -> None:
    """Drop files onto the page."""
    files = [
        {"name": path.name, "content": base64.b64encode(path.read_bytes()).decode()}
        for path in paths
    ]
    page.dispatch_event("main", "drop", {"dataTransfer": page.evaluate_handle(DROPPED, files)})


class Line:
    """What a page sends on, as slow as a test wants it."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("Network.enable")

    def becomes(self, *, bytes_per_second: int = -1) -> None:
        limits = {"downloadThroughput": -1, "uploadThroughput": bytes_per_second, "latency": 0}
        self._session.send("Network.emulateNetworkConditions", {"offline": False, **limits})


@pytest.fixture
def line(page: Page) -> Line:
    return Line(page)


def press_upload(page: Page) -> None:
    page.get_by_role("button", name="Upload").click()


def test_dropped_files_are_sent_at_once_and_lead_to_their_transcripts(
    page: Page, line: Line, recording: Recorder
) -> None:
    page.goto(ADD)
    line.becomes(bytes_per_second=300_000)
    drop(page, recording(name="one"), recording(name="two"))
    page.get_by_role("button", name="Upload 2 files").click()

    expect(page.get_by_text("KB/s")).to_have_count(2)
    expect(page.get_by_text(re.compile(r"\d KB of 312.5 KB, .* left"))).to_have_count(2)
    line.becomes()
    page.get_by_role("link", name="Open: two.wav").click()

    expect(page.get_by_role("heading", name="two.wav")).to_be_visible()


def test_one_file_leads_straight_to_its_transcript(page: Page, recording: Recorder) -> None:
    page.goto(ADD)
    page.set_input_files("input[type=file]", recording(name="only"))
    press_upload(page)

    page.wait_for_url("**/processing/transcript/*/change/")


def test_a_file_over_the_limit_says_so_at_itself_and_keeps_no_other_back(
    page: Page, recording: Recorder, tmp_path: Path
) -> None:
    large = tmp_path / "large.wav"
    large.write_bytes(bytes(5_000_000))
    page.goto(ADD)
    page.set_input_files("input[type=file]", [large, recording(name="small")])
    press_upload(page)

    row = page.get_by_role("listitem").filter(has_text="large.wav")
    expect(row).to_contain_text("4.8 MB is more than the limit of 3.8 MB.")
    expect(page.get_by_role("link", name="Open: small.wav")).to_be_visible()


def test_what_is_no_recording_says_so_at_itself(page: Page, faults: Faults, tmp_path: Path) -> None:
    faults.expect("415")
    (tmp_path / "notes.wav").write_text("these are no sounds" * 99)
    page.goto(ADD)
    page.set_input_files("input[type=file]", tmp_path / "notes.wav")
    press_upload(page)

    row = page.get_by_role("listitem").filter(has_text="notes.wav")
    expect(row).to_contain_text("Not audio we can read")


def test_an_upload_goes_on_where_the_line_broke(
    page: Page, recording: Recorder, faults: Faults
) -> None:
    faults.expect("ERR_CONNECTION_RESET")
    path, offsets = recording(name="long"), []

    def lose_half_of_the_first(route: Route) -> None:
        if route.request.method != "PATCH":
            return route.continue_()
        offsets.append(int(route.request.headers["upload-offset"]))
        if len(offsets) > 1:
            return route.continue_()
        content = path.read_bytes()
        route.fetch(post_data=content[: len(content) // 2])
        return route.abort("connectionreset")

    page.route("**/api/v1/uploads/**", lose_half_of_the_first)
    page.goto(ADD)
    page.set_input_files("input[type=file]", path)
    press_upload(page)

    expect(page.get_by_text("The connection was lost; it is tried again")).to_be_visible()
    page.wait_for_url("**/processing/transcript/*/change/")
    assert offsets == [0, path.stat().st_size // 2]


def is_of_forgetting(response: Response) -> bool:
    return response.request.method == "DELETE" and response.status == 204


def test_a_cancelled_upload_is_forgotten_and_can_be_sent_again(
    page: Page, line: Line, recording: Recorder, faults: Faults
) -> None:
    faults.expect("423")  # while the server has not seen the end of what was sent
    page.goto(ADD)
    line.becomes(bytes_per_second=200_000)
    page.set_input_files("input[type=file]", recording(20, name="regretted"))
    press_upload(page)

    expect(page.get_by_text("KB/s")).to_be_visible()
    with page.expect_response(is_of_forgetting):
        page.get_by_role("button", name="Cancel: regretted.wav").click()
    expect(page.get_by_text("Cancelled")).to_be_visible()

    line.becomes()
    page.get_by_role("button", name="Try again: regretted.wav").click()
    page.wait_for_url("**/processing/transcript/*/change/")


def test_leaving_while_something_is_sent_asks_first(
    page: Page, line: Line, recording: Recorder
) -> None:
    asked: list[str] = []

    def agree(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", agree)
    page.goto(ADD)
    line.becomes(bytes_per_second=100_000)
    page.set_input_files("input[type=file]", recording(name="slow"))
    press_upload(page)
    expect(page.get_by_text("KB/s")).to_be_visible()

    page.goto("/admin/processing/recording/")

    assert asked == ["beforeunload"]


@pytest.mark.parametrize("model", ["recording", "document"])
def test_a_file_is_uploaded_without_scripts(
    browse: Callable[..., Page], recording: Recorder, tmp_path: Path, model: str
) -> None:
    text = tmp_path / "rivers.txt"
    text.write_text("The river rises in the hills and runs to the sea.")
    page = browse(java_script_enabled=False)
    page.goto(f"/admin/processing/{model}/add/")
    page.set_input_files("input[type=file]", text if model == "document" else recording())
    press_upload(page)

    expect(page.locator(".messagelist .success")).to_be_visible()


def test_documents_are_uploaded_several_at_once_too(page: Page, tmp_path: Path) -> None:
    paths = [tmp_path / "hills.txt", tmp_path / "sea.txt"]
    for path in paths:
        path.write_text(f"All that there is to say of {path.stem}.")
    page.goto("/admin/processing/document/add/")
    page.set_input_files("input[type=file]", paths)
    page.get_by_role("button", name="Upload 2 files").click()

    expect(page.locator(".upload .account", has_text="is being read.")).to_have_count(2)
    page.get_by_role("link", name="Open: sea.txt").click()
    expect(page.locator("#id_title")).to_have_value("sea")
