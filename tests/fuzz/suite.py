"""A server with workers, rows of two workspaces in it, and schemathesis that asks it everything."""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import django

from config import embedded

embedded.hold()
django.setup()

from django.core.management import call_command  # noqa: E402  after the set-up it needs

from tests.bench.environment import PROJECT  # noqa: E402
from tests.fuzz.rows import kept_ids, write_keys, write_rows  # noqa: E402
from tests.waiting import wait_for  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HERE = Path(__file__).resolve().parent
SCHEMATHESIS = PROJECT / ".venv-fuzz" / "bin" / "schemathesis"

HOST = "127.0.0.1"

#: So much of the server's log is shown when something failed.
LOG_CHARACTERS = 20_000

#: How long the whole run asks, unless it is told; the coverage phase is done whatever it takes.
SECONDS = 300


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.fuzz")
    parser.add_argument("--max-time", type=int, default=SECONDS, metavar="SECONDS")
    options, others = parser.parse_known_args()
    call_command("migrate", verbosity=0)
    directory = Path(os.environ["LONGHAND_VAR"]).parent
    keys = write_keys()
    authentication = directory / "keys.json"
    authentication.write_text(json.dumps(_identities(keys)))
    log = directory / "server.log"
    with _server(log) as address:
        write_rows(keys)
        command = [
            *(str(SCHEMATHESIS), "--config-file", str(HERE / "schemathesis.toml")),
            *("run", str(PROJECT / "docs" / "openapi.yaml"), "--url", address),
            *("--max-time", str(options.max_time)),
            *others,
        ]
        environment = os.environ | {
            "FUZZ_KEYS": str(authentication),
            "FUZZ_KEPT": " ".join(kept_ids(keys)),
        }
        code = subprocess.run(command, cwd=directory, env=environment, check=False).returncode
    if code:
        sys.stderr.write(
            f"-- the last of what the server said\n{log.read_text()[-LOG_CHARACTERS:]}\n"
        )
    sys.exit(code)


def _identities(keys: Mapping[str, str]) -> dict[str, object]:
    """Return the document in which schemathesis looks who there is (Web Fuzzing Commons)."""
    return {
        "auth": [
            {
                "name": name,
                "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {key}"}],
            }
            for name, key in keys.items()
        ]
    }


@contextmanager
def _server(log: Path) -> Iterator[str]:
    """Run web server, workers and sweeper; yield the address once it answers."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    address = f"http://{HOST}:{port}"
    command = ["manage.py", "serve", "--port", str(port), "--concurrency", "1"]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, *command],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            wait_for(lambda: _answers(f"{address}/api/v1/"))
            yield address
        finally:
            process.terminate()


def _answers(address: str) -> bool:
    try:
        urlopen(address, timeout=10)  # noqa: S310  our own server
    except URLError as error:
        return getattr(error, "code", None) == HTTPStatus.UNAUTHORIZED
    return True


if __name__ == "__main__":
    main()
