"""The peers' virtual environment, apart from our own."""

import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
REQUIREMENTS = PROJECT / "tests" / "bench" / "requirements.txt"
DIRECTORY = PROJECT / ".venv-bench"
PYTHON = DIRECTORY / "bin" / "python"

_INSTALLED = DIRECTORY / "installed"


def install() -> None:
    """Install the peers, once for each version of their requirements."""
    wanted = REQUIREMENTS.read_text()
    if _INSTALLED.exists() and _INSTALLED.read_text() == wanted:
        return
    sys.stderr.write(f"Installing the peers into {DIRECTORY.name} (once, about a minute).\n")
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    venv.create(DIRECTORY, with_pip=True)
    pip = [str(PYTHON), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    subprocess.run([*pip, "--requirement", str(REQUIREMENTS)], check=True)
    _INSTALLED.write_text(wanted)


def add_peers() -> None:
    """Have this process import what our own virtual environment has not from the peers'."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site.addsitedir(str(DIRECTORY / "lib" / version / "site-packages"))
