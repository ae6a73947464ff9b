"""Pages load nothing from elsewhere, and run nothing that is written into them."""

import re

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from config.content_security import HEADER, POLICY

pytestmark = pytest.mark.django_db

LISTS = [
    reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    for model in admin.site._registry
]
FORMS = [
    reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")
    for model in admin.site._registry
    if model._meta.model_name
    in ("recording", "document", "question", "apikey", "user", "workspace")
]
PAGES = [
    *map(reverse, ["admin:index", "admin:password_change", "admin:processing_document_search"]),
    *map(reverse, ["admin:caching_cacheentry_statistics", "admin:caching_cacheentry_invalidate"]),
    reverse("api-docs"),
    *LISTS,
    *FORMS,
]

#: What the policy forbids browsers to obey.
INLINE_SCRIPT = re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>")
INLINE_STYLE = re.compile(r"<style|<[^>]+\sstyle=")
INLINE_HANDLER = re.compile(r"<[^>]+\son[a-z]+=\"")
FOREIGN = re.compile(r"(?:src|href|action)=\"(?:https?:)?//[^\"]*\"")


@pytest.mark.parametrize("address", PAGES)
def test_pages_come_with_the_policy_and_obey_it(admin_client: Client, address: str) -> None:
    response = admin_client.get(address)

    page = response.content.decode()
    assert (response.status_code, response.headers[HEADER]) == (200, POLICY)
    assert INLINE_SCRIPT.findall(page) == []
    assert INLINE_STYLE.findall(page) == []
    assert INLINE_HANDLER.findall(page) == []
    assert FOREIGN.findall(page) == []


@pytest.mark.parametrize("address", ["/admin/login/", "/admin/nowhere/"])
def test_pages_for_nobody_come_with_it_too(client: Client, address: str) -> None:
    assert client.get(address).headers[HEADER] == POLICY


def test_scripts_come_from_us_alone() -> None:
    directives = dict(part.split(" ", 1) for part in POLICY.split("; "))

    assert directives["default-src"] == "'self'"
    assert not {"script-src", "style-src"} & {*directives}
    assert "unsafe" not in POLICY


def test_docs_have_their_script_in_a_file(admin_client: Client) -> None:
    page = admin_client.get(reverse("api-docs")).content.decode()
    [address] = [each for each in re.findall(r'src="([^"]*)"', page) if "script" in each]

    script = admin_client.get(address)

    assert script.headers["Content-Type"].startswith("application/javascript")
    assert "SwaggerUIBundle" in script.content.decode()


def test_programs_are_told_nothing_of_it(client: Client) -> None:
    assert HEADER not in client.get("/health").headers
