"""What commands ask of a recording: engine, language and parameters, on the command line."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from jobs.management.terminal import USAGE
from processing.engines.registry import engine_names
from processing.exceptions import ProcessingError
from processing.models import Workspace
from processing.services.requesting import PIPELINE_PARAMETERS, choose_engine

#: Options that are parameters of a request.
_PARAMETERS = ("channels", "prompt", "hotwords")


def add_request_arguments(parser: ArgumentParser) -> None:
    """Add the options that ``request_of`` reads."""
    parser.add_argument(
        "--engine",
        default="",
        help=f"one of: {', '.join(engine_names())} (default: {settings.ENGINE})",
    )
    parser.add_argument(
        "--language",
        default="",
        help="ISO 639-1 code, such as en, or auto where the engine finds it out "
        "(default: the engine's)",
    )
    parser.add_argument(
        "--channels",
        choices=PIPELINE_PARAMETERS["channels"],
        help="separate hears each channel by itself, as of a telephone call (default: mixed)",
    )
    parser.add_argument("--prompt", help="what was said before, for engines that take a prompt")
    parser.add_argument("--hotwords", help="words to expect, for engines that take them")


def request_of(options: Mapping[str, Any], workspace: Workspace) -> dict[str, Any]:
    """Return what the options ask, as ``submit_recording`` takes it.

    Raises ``CommandError`` (wrong usage) for what the engine does not have.
    """
    parameters = {name: options[name] for name in _PARAMETERS if options[name] is not None}
    request = {
        "engine": options["engine"],
        "language": options["language"],
        "parameters": parameters,
    }
    try:
        choose_engine(**request, workspace=workspace)
    except ProcessingError as error:
        raise CommandError(str(error), returncode=USAGE) from error
    return request
