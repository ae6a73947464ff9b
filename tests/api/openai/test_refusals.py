"""What is refused before it costs anything, as OpenAI's own client and others read it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from processing.choices import Role
from processing.models import Recording, Workspace
from processing.workspaces.keys import issue_key
from tests.api.openai.conftest import ClientOf
from tests.api.openai.errors import TRANSCRIPTIONS, error_of, refusal_of
from tests.fakes.tones import write_tones

pytestmark = pytest.mark.django_db


@pytest.fixture
def post(
    near: httpx2.Client, near_client: openai.OpenAI, short: Path
) -> Callable[..., httpx2.Response]:
    """Post a form to transcriptions by hand: fields as they are, and the short recording."""

    def send(**options: Any) -> httpx2.Response:
        options = {"files": {"file": ("short.wav", short.read_bytes())}} | options
        authorization = {"Authorization": f"Bearer {near_client.api_key}"}
        return near.post(
            TRANSCRIPTIONS, headers=authorization | options.pop("headers", {}), **options
        )

    return send


# Requests that are not right


@pytest.mark.parametrize(
    ("options", "param", "code", "said"),
    [
        pytest.param(
            {"response_format": "xml"},
            "response_format",
            "invalid_value",
            "Invalid value: 'xml'. Supported values are: 'json', 'text', 'srt', 'verbose_json', "
            "'vtt', 'diarized_json'.",
            id="a format that is none",
        ),
        pytest.param(
            {"response_format": "verbose_json", "timestamp_granularities": ["letter"]},
            "timestamp_granularities",
            "invalid_value",
            "Invalid value: 'letter'. Supported values are: 'word', 'segment'.",
            id="a granularity that is none",
        ),
        pytest.param(
            {"timestamp_granularities": ["word"]},
            "timestamp_granularities",
            "invalid_value",
            "`response_format` must be `verbose_json` if `timestamp_granularities[]` is provided",
            id="granularities of a format without",
        ),
        pytest.param(
            {"response_format": "srt", "stream": True},
            "response_format",
            "unsupported_value",
            "response_format 'srt' is not compatible with streaming. "
            "Use 'json' or 'text' or 'diarized_json' instead.",
            id="a format that is not streamed",
        ),
        pytest.param(
            {"temperature": 1.5},
            "temperature",
            "invalid_value",
            "Invalid value: temperature is from 0 to 1.",
            id="too hot",
        ),
        pytest.param(
            {"extra_body": {"temperature": "nan"}},
            "temperature",
            "invalid_value",
            "A valid number is required.",
            id="no temperature",
        ),
        pytest.param(
            {"language": "klingon"},
            "language",
            "invalid_language_format",
            "Invalid language 'klingon'. Language parameter must be specified in ISO-639-1 format.",
            id="a language that is none",
        ),
        pytest.param(
            {"language": "fr"},
            "language",
            "unsupported_language",
            "tones does not understand 'fr'; it knows en, de",
            id="a language that the engine does not know",
        ),
        pytest.param(
            {"extra_body": {"known_speaker_names": list("abcde")}},
            "known_speaker_names",
            "invalid_value",
            "Ensure this field has no more than 4 elements.",
            id="too many known speakers",
        ),
    ],
)
def test_a_form_that_is_not_right_is_a_bad_request(
    near_client: openai.OpenAI,
    short: Path,
    options: dict[str, Any],
    param: str,
    code: str,
    said: str,
) -> None:
    error = refusal_of(near_client, short, **options)

    assert isinstance(error, openai.BadRequestError)
    assert (error.type, error.param, error.code) == ("invalid_request_error", param, code)
    assert error.body == {
        "message": said,
        "type": "invalid_request_error",
        "param": param,
        "code": code,
    }
    assert not Recording.objects.exists()


def test_an_unknown_model_is_not_found(near_client: openai.OpenAI, short: Path) -> None:
    error = refusal_of(near_client, short, model="gpt-9")

    assert isinstance(error, openai.NotFoundError)
    assert (error.code, error.param) == ("model_not_found", "model")
    assert "The model `gpt-9` does not exist" in error.message


def test_what_is_no_audio_is_a_bad_request(near_client: openai.OpenAI) -> None:
    error = refusal_of(near_client, b"no sound at all")

    assert isinstance(error, openai.BadRequestError)
    assert error.message.count("Invalid file format: ") == 1
    assert "Supported formats: ['flac', 'm4a', 'mp3'" in error.message
    assert error.param == "file"


def test_a_moment_of_audio_is_too_short(near_client: openai.OpenAI, tmp_path: Path) -> None:
    error = refusal_of(near_client, write_tones(tmp_path / "moment.wav", [[]], 0.05))

    assert (error.status_code, error.code, error.param) == (400, "audio_too_short", "file")


@pytest.mark.parametrize(
    ("data", "files", "param"),
    [
        pytest.param({"model": "whisper-1"}, {"other": b"RIFF"}, "file", id="file"),
        pytest.param({}, {"file": b"RIFF"}, "model", id="model"),
        pytest.param({"model": ""}, {"file": b"RIFF"}, "model", id="model without a name"),
    ],
)
def test_what_is_missing_is_named(
    post: Callable[..., httpx2.Response], data: Any, files: Any, param: str
) -> None:
    response = post(data=data, files=files)

    assert response.status_code == 400
    assert error_of(response) == {
        "message": f"Missing required parameter: '{param}'.",
        "type": "invalid_request_error",
        "param": param,
        "code": "missing_required_parameter",
    }


def test_a_file_over_the_limit_is_too_large(
    near_client: openai.OpenAI, short: Path, settings: Settings
) -> None:
    settings.MAX_UPLOAD_BYTES = 100_000

    error = refusal_of(near_client, short)

    assert (error.status_code, error.type, error.code) == (413, "server_error", None)
    assert error.message.count("Maximum content size limit (100000) exceeded") == 1


def test_json_is_no_form(post: Callable[..., httpx2.Response]) -> None:
    response = post(files=None, json={"model": "whisper-1"})

    assert response.status_code == 415
    assert error_of(response)["code"] == "unsupported_media_type"


def test_a_broken_form_is_a_bad_request(post: Callable[..., httpx2.Response]) -> None:
    response = post(
        files=None, content=b"--y", headers={"Content-Type": "multipart/form-data; boundary=x"}
    )

    assert response.status_code == 400
    assert error_of(response)["type"] == "invalid_request_error"


# Who asks, and for what


def test_no_key_is_unauthorized(near: httpx2.Client) -> None:
    response = near.post(TRANSCRIPTIONS)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert "didn't provide an API key" in error_of(response)["message"]


def test_a_wrong_key_is_an_authentication_error(near_client_of: ClientOf, short: Path) -> None:
    error = refusal_of(near_client_of("lh_0_1"), short)

    assert isinstance(error, openai.AuthenticationError)
    assert error.code == "invalid_api_key"
    assert "lh_0_1" not in error.message


@pytest.mark.parametrize(
    ("role", "scope"),
    [
        pytest.param(Role.EDITOR, "read", id="a key to read"),
        pytest.param(Role.VIEWER, "write", id="a key of who may only read"),
    ],
)
def test_who_may_only_read_is_denied(
    near_client_of: ClientOf,
    token_of: Callable[..., str],
    short: Path,
    role: Role,
    scope: str,
) -> None:
    error = refusal_of(near_client_of(token_of(scope, role=role)), short)

    assert isinstance(error, openai.PermissionDeniedError)
    assert error.code == "insufficient_permissions"


def test_a_key_of_who_is_no_member_is_denied(
    near_client_of: ClientOf, short: Path, workspace: Workspace
) -> None:
    stranger = User.objects.create_user("stranger")
    _, token = issue_key(workspace=workspace, user=stranger, name="old", scopes=["write"])

    error = refusal_of(near_client_of(token), short)

    assert isinstance(error, openai.PermissionDeniedError)
    assert error.code == "no_workspace"


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        pytest.param("GET", "audio/speech", 404, "Invalid URL (GET /v1/audio/speech)", id="404"),
        pytest.param("GET", TRANSCRIPTIONS, 405, 'Method "GET" not allowed.', id="GET"),
        pytest.param("DELETE", "models/tones", 405, 'Method "DELETE" not allowed.', id="DELETE"),
    ],
)
def test_what_cannot_be_done_here_is_told_in_the_same_shape(
    near: httpx2.Client, near_client: openai.OpenAI, method: str, path: str, status: int, said: str
) -> None:
    authorization = {"Authorization": f"Bearer {near_client.api_key}"}

    response = near.request(method, path, headers=authorization)

    assert response.status_code == status
    assert error_of(response)["message"] == said
    assert response.headers["openai-version"] == "2020-10-01"
    assert response.headers["x-request-id"]


# Limits


def test_too_many_requests_are_told_when_to_come_again(
    near_client: openai.OpenAI, settings: Settings
) -> None:
    settings.API_REQUESTS_PER_MINUTE = 1
    near_client.models.list()

    with pytest.raises(openai.RateLimitError) as refused:
        near_client.models.list()

    error = refused.value
    assert (error.type, error.code) == ("requests", "rate_limit_exceeded")
    assert 1 <= int(error.response.headers["Retry-After"]) <= 120
    assert error.response.headers["x-ratelimit-remaining-requests"] == "0"


def test_a_quota_that_is_used_up_is_not_worth_another_try(
    near_client_of: ClientOf,
    token_of: Callable[..., str],
    short: Path,
    workspace: Workspace,
) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(max_storage_bytes=1_000)

    error = refusal_of(near_client_of(token_of(), max_retries=2), short)

    assert isinstance(error, openai.RateLimitError)
    assert (error.type, error.code, error.param) == ("insufficient_quota",) * 2 + (None,)
    assert error.response.request.headers["x-stainless-retry-count"] == "0"
    assert not Recording.objects.exists()


def test_a_bug_is_an_error_without_details(
    near_client: openai.OpenAI, short: Path, settings: Settings
) -> None:
    settings.ENGINES = settings.ENGINES | {"tones": "no.such.Engine"}

    error = refusal_of(near_client, short)

    assert isinstance(error, openai.InternalServerError)
    assert error.type == "server_error"
    assert "no.such" not in json.dumps(error.body)
    assert error.response.headers["x-request-id"] == error.request_id


def test_models_have_addresses_with_a_slash_too(
    near: httpx2.Client, near_client: openai.OpenAI
) -> None:
    authorization = {"Authorization": f"Bearer {near_client.api_key}"}

    response = near.get("models/", headers=authorization)

    assert response.json()["object"] == "list"


def test_a_body_of_no_announced_length_is_refused(post: Callable[..., httpx2.Response]) -> None:
    response = post(files=None, content=iter([b"--x\r\n"]))

    assert response.status_code == 411
    assert error_of(response)["code"] == "length_required"
