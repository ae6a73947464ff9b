"""The models of OpenAI's clients: our engines, and OpenAI's own names for any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings

from processing.api.openai.errors import model_not_found
from processing.engines.registry import engine_names
from processing.services.engine_health import engine_or_reason

if TYPE_CHECKING:
    from processing.models import Workspace


def engine_named(model: str) -> str:
    """Return the engine that a model is, empty for the workspace's own choice.

    Raises ``OpenAIError`` (``model_not_found``).
    """
    if model in engine_names():
        return model
    if model in settings.OPENAI_MODEL_ALIASES:
        return ""
    raise model_not_found(model)


def models(workspace: Workspace) -> list[dict[str, Any]]:
    """Return all models that can be asked: engines that are there, then the aliases."""
    engines = [name for name in engine_names() if engine_or_reason(name)[0] is not None]
    aliases = [name for name in settings.OPENAI_MODEL_ALIASES if name not in engines]
    return [model_object(name, workspace) for name in [*engines, *aliases]]


def model_object(model: str, workspace: Workspace) -> dict[str, Any]:
    """Return a model; ``created`` is when the workspace was, as engines have no such time."""
    return {
        "id": model,
        "object": "model",
        "created": int(workspace.created_at.timestamp()),
        "owned_by": "longhand",
    }
