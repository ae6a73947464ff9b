"""Models, as OpenAI's own client lists them."""

from collections.abc import Callable

import openai
import pytest
from openai.types import Model
from pytest_django import Settings

from processing.choices import Role
from processing.models import Workspace
from tests.api.openai.conftest import ClientOf

pytestmark = pytest.mark.django_db


def test_models_are_engines_that_are_there_and_names_of_openai(
    near_client: openai.OpenAI, settings: Settings
) -> None:
    settings.ENGINES = settings.ENGINES | {"absent": "no.such.module.Engine"}

    names = [model.id for model in near_client.models.list()]

    assert {"sphinx", "tones", "whisper-1", "gpt-4o-transcribe-diarize"} <= {*names}
    assert "absent" not in names
    assert len(names) == len({*names})


@pytest.mark.parametrize("name", ["tones", "whisper-1"])
def test_a_model_says_what_it_is(
    near_client: openai.OpenAI, workspace: Workspace, name: str
) -> None:
    model = near_client.models.retrieve(name)

    assert isinstance(model, Model)
    assert model.to_dict() == {
        "id": name,
        "object": "model",
        "created": int(workspace.created_at.timestamp()),
        "owned_by": "longhand",
    }


def test_who_may_only_read_sees_models(
    near_client_of: ClientOf, token_of: Callable[..., str]
) -> None:
    reader = near_client_of(token_of("read", role=Role.VIEWER))

    assert reader.models.retrieve("tones").id == "tones"


@pytest.mark.parametrize("name", ["gpt-9", "some/model"])
def test_an_unknown_model_is_not_found(near_client: openai.OpenAI, name: str) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        near_client.models.retrieve(name)

    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")


def test_an_alias_of_an_installation_of_its_own_is_a_model(
    near_client: openai.OpenAI, settings: Settings
) -> None:
    settings.OPENAI_MODEL_ALIASES = ["our-ears"]

    names = [model.id for model in near_client.models.list()]

    assert names[-1] == "our-ears"
    assert "whisper-1" not in names
