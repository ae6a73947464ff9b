"""The one navigation: for whom it has what, and where one is."""

import re

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client, RequestFactory
from django.urls import reverse

from config.navigation import GROUPS, UNNAMED, Page, grouped
from processing.choices import Role
from processing.models import Membership
from tests.factories.processing import WorkspaceFactory
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

TRANSCRIPTS = reverse("admin:processing_transcript_changelist")

#: Any page that has nothing of its own.
PLAIN = reverse("admin:password_change")


def navigation_of(client: Client, address: str = PLAIN) -> dict[str, list[str]]:
    """Return the names of the entries by group, as a page has them."""
    navigation = client.get(address).context["navigation"]
    return {group["name"]: [entry["name"] for entry in group["models"]] for group in navigation}


def staff(**permissions: Role) -> Client:
    user = User.objects.create_user("staff", is_staff=True)
    client = Client()
    client.force_login(user)
    return client


def test_a_superuser_sees_all_groups(admin_client: Client) -> None:
    assert [*navigation_of(admin_client)] == [*GROUPS]


def test_every_model_has_its_place(admin_client: Client) -> None:
    assert UNNAMED not in navigation_of(admin_client)


def test_every_entry_leads_somewhere(admin_client: Client) -> None:
    navigation = admin_client.get(PLAIN).context["navigation"]

    assert [
        entry["name"] for group in navigation for entry in group["models"] if not entry["admin_url"]
    ] == []


def test_every_page_that_is_named_is_there(admin_client: Client) -> None:
    routes = [
        entry.route for group in GROUPS.values() for entry in group if isinstance(entry, Page)
    ]

    answers = {route: admin_client.get(reverse(route)).status_code for route in routes}

    assert answers == dict.fromkeys(routes, 200)


def test_what_nobody_named_is_in_the_last_group() -> None:
    request = RequestFactory().get("/admin/")
    request.user = User(is_superuser=True)
    entry = {"model": Permission, "name": "Permissions", "object_name": "x", "admin_url": "/x/"}

    last = grouped([{"models": [entry]}], request)[-1]

    assert (last["name"], last["models"][0]["name"]) == (UNNAMED, "Permissions")


def test_a_viewer_sees_what_there_is_to_look_at() -> None:
    client = staff()
    Membership.objects.create(
        user=User.objects.get(), workspace=WorkspaceFactory.create(), role=Role.VIEWER
    )

    assert navigation_of(client) == {
        "Work": ["Board", "Recordings", "Transcripts", "Runs", "Chunks", "Bulk actions"],
        "Knowledge": ["Documents", "Search", "Topics", "Questions", "Translations"],
        "Installation": ["Workspaces", "API docs"],
    }


def test_staff_of_no_workspace_see_next_to_nothing() -> None:
    assert navigation_of(staff()) == {
        "Work": ["Board", "Bulk actions"],  # of the latter their own
        "Installation": ["API docs"],
    }


@pytest.mark.parametrize(
    ("permissions", "entries"),
    [
        (["view_cacheentry"], ["Entries", "Statistics"]),
        (["view_cacheentry", "delete_cacheentry"], ["Entries", "Statistics", "Invalidation"]),
    ],
    ids=["looks", "invalidates"],
)
def test_pages_need_their_permissions(permissions: list[str], entries: list[str]) -> None:
    client = staff()
    User.objects.get().user_permissions.set(Permission.objects.filter(codename__in=permissions))

    assert navigation_of(client)["Cache"] == entries


@pytest.mark.parametrize(
    ("route", "name"),
    [
        ("admin:index", "Board"),
        ("admin:processing_transcript_changelist", "Transcripts"),
        ("admin:processing_recording_add", "Recordings"),
        ("admin:processing_document_search", "Search"),
        ("admin:processing_document_add", "Documents"),
        ("admin:caching_cacheentry_statistics", "Statistics"),
    ],
)
def test_the_current_entry_is_marked(admin_client: Client, route: str, name: str) -> None:
    page = admin_client.get(reverse(route)).content.decode()

    marked = re.findall(r'aria-current="page">([^<]*)</a>', page)
    assert marked == [name, name]  # at the side, and in the menu of phones


def test_nothing_is_current_beside_the_navigation(admin_client: Client) -> None:
    assert 'aria-current="page"' not in admin_client.get(PLAIN).content.decode()


def test_the_filter_box_finds_its_entries(admin_client: Client) -> None:
    """It looks for ``th[scope=row] a`` in the sidebar, and hides the row of each."""
    page = admin_client.get(TRANSCRIPTS).content.decode()
    sidebar = page[page.index('id="nav-sidebar"') : page.index("<main")]

    assert 'id="nav-filter"' in sidebar
    assert re.search(r'<th scope="row"[^>]*><a href="/admin/jobs/job/">Jobs</a></th>', sidebar)


def test_the_login_page_says_nothing_of_it(client: Client) -> None:
    page = client.get(reverse("admin:login"))

    assert page.context["navigation"] == []
    assert "nav-sidebar" not in page.content.decode()


def test_the_list_of_one_app_is_there_as_ever(admin_client: Client) -> None:
    page = admin_client.get(reverse("admin:app_list", args=["processing"])).content.decode()

    assert "Processing administration" in page


@pytest.mark.parametrize(("codename", "is_operator"), [("view_job", True), ("view_worker", False)])
def test_operators_are_who_may_see_all_jobs(codename: str, is_operator: bool) -> None:
    client = staff()
    User.objects.get().user_permissions.set(Permission.objects.filter(codename=codename))

    assert client.get(PLAIN).context["is_operator"] is is_operator


def test_the_navigation_of_a_member_costs_three_queries() -> None:
    """Permissions by hand, those of groups, and roles; besides the session and the user."""
    client = staff()
    Membership.objects.create(
        user=User.objects.get(), workspace=WorkspaceFactory.create(), role=Role.EDITOR
    )

    queries = queries_of(lambda: client.get(PLAIN))

    assert len([query for query in queries if "auth_permission" in query]) == 2
    assert len([query for query in queries if "memberships" in query]) == 1
