"""The schema says what the API does, and nobody has to leave the house to read it."""

import re
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command
from django.test import Client

from config.api import router
from config.operations import OPERATIONS

SCHEMA = Path(settings.BASE_DIR, "docs", "openapi.yaml")

#: What a view set does without anything being written of it.
DERIVED = {"list", "retrieve", "destroy", "metadata"}

#: The protocol of tus, which is not in the schema.
UPLOADS = "upload."


def operations() -> set[str]:
    return {
        f"{route.callback.initkwargs['basename']}.{action}"
        for route in cast("list[Any]", router.urls)
        if hasattr(route.callback, "actions")
        for action in route.callback.actions.values()
    }


@pytest.mark.django_db
def test_schema_in_the_repository_is_that_of_the_code(tmp_path: Path) -> None:
    made = tmp_path / "openapi.yaml"

    call_command("spectacular", file=str(tmp_path / "once.yaml"))  # leaves nothing behind
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(made))

    assert made.read_text() == SCHEMA.read_text(), "write it anew: make schema"


def test_what_was_made_leads_to_what_can_be_done_with_it() -> None:
    paths = yaml.safe_load(SCHEMA.read_text())["paths"]

    links = paths["/api/v1/webhooks/"]["post"]["responses"]["201"]["links"]
    assert links["webhook_destroy"]["parameters"] == {"id": "$response.body#/id"}
    assert links["webhook_delivery_list"]["parameters"] == {"webhook_pk": "$response.body#/id"}


def test_what_is_written_of_operations_is_of_those_that_exist() -> None:
    assert OPERATIONS.keys() - operations() == set()


def test_of_every_operation_of_our_own_it_is_written_what_it_answers() -> None:
    own = {name for name in operations() if name.partition(".")[2] not in DERIVED}

    assert {name for name in own - OPERATIONS.keys() if not name.startswith(UPLOADS)} == set()


def test_documentation_loads_nothing_from_another_host(admin_client: Client) -> None:
    page = admin_client.get("/api/docs/")

    addresses = re.findall(r"""(?:src|href)=["']([^"']+)""", page.content.decode())
    assert page.status_code == 200
    assert addresses != []
    assert [each for each in addresses if "//" in each] == []
    assert admin_client.get("/api/v1/schema/").status_code == 200


def test_documentation_is_for_who_has_logged_in(client: Client) -> None:
    assert client.get("/api/docs/").status_code == 401
    assert client.get("/api/v1/schema/").status_code == 401
