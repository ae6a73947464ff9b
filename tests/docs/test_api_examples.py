"""``docs/api.md``: whoever does what it says gets what it says."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.urls import resolve
from rest_framework.exceptions import APIException

from config.exceptions import STATUS_OF
from tests.commands.test_serve import answers, free_port
from tests.docs.examples import JAVASCRIPT, SUFFIXES, Session, examples_of
from tests.processes import environment
from tests.waiting import wait_for

BASE_DIR = Path(settings.BASE_DIR)
PROGRAMS = ("bash", "curl", "jq")
PAGE = (BASE_DIR / "docs" / "api.md").read_text()

#: A row of the page's table of errors: the status and the codes that go with it.
_ERRORS = re.compile(r"^\| (?P<status>\d{3}) \| (?P<codes>.+?) \|", re.MULTILINE)


@contextmanager
def serving(port: int, **env: str) -> Iterator[None]:
    """Run ``manage.py serve``; what it says is shown when the test fails."""
    with subprocess.Popen(
        [sys.executable, "manage.py", "serve", "--port", str(port), "--concurrency", "1"],
        cwd=BASE_DIR,
        env=environment(**env),
        stdin=subprocess.DEVNULL,
    ) as process:
        try:
            address = f"http://127.0.0.1:{port}/admin/login/"
            wait_for(lambda: answers(address) or process.poll() is not None)
            yield
        finally:
            if process.poll() is None:
                process.terminate()


@pytest.mark.skipif(not all(map(shutil.which, PROGRAMS)), reason=f"needs {', '.join(PROGRAMS)}")
@pytest.mark.django_db(transaction=True)
def test_every_example_does_what_the_page_says(tmp_path: Path) -> None:
    for name in ("manage.py", "processing"):
        (tmp_path / name).symlink_to(BASE_DIR / name)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    port, receiver_port = free_port(), free_port()
    env = {
        "DJANGO_SETTINGS_MODULE": "tests.docs.settings",
        "ENGINE": "sphinx",
        "CHAT_BASE_URL": "",
        "WEBHOOK_ALLOWED_HOSTS": "127.0.0.1",
        "WEBHOOK_ALLOW_HTTP": "true",
        "WEBHOOK_PORTS": str(receiver_port),
    }
    has_node = shutil.which("node") is not None
    session = Session(
        tmp_path,
        replacements={"127.0.0.1:8000": f"127.0.0.1:{port}", "8080": str(receiver_port)},
        environment=environment(**env),
        languages={*SUFFIXES} if has_node else {*SUFFIXES} - {JAVASCRIPT},
    )

    with serving(port, **env):
        complaints = list(session.complaints(examples_of(PAGE)))

    assert complaints == []
    if not has_node:
        pytest.skip("the examples in JavaScript need node")


def test_the_table_of_errors_has_every_code_of_ours() -> None:
    resolve("/api/v1/")  # imports every view
    told = {
        (code, int(row["status"]))
        for row in _ERRORS.finditer(PAGE)
        for code in re.findall(r"`(\w+)`", row["codes"])
    }
    ours = {(kind.code, status) for kind, status in STATUS_OF.items() if hasattr(kind, "code")}
    ours |= {
        (kind.default_code, kind.status_code)
        for kind in APIException.__subclasses__()
        if kind.__module__.startswith("processing.") and kind.default_code != "error"
    }

    assert ours - told == set()
