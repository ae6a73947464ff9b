"""Workspaces and users as commands are told of them."""

from django.contrib.auth.models import User
from django.core.management.base import CommandError

from jobs.management.terminal import USAGE
from processing.exceptions import UnknownUser
from processing.models import Workspace
from processing.workspaces.members import user_named


def workspace_of(slug: str) -> Workspace:
    """Return the workspace of a slug; raise ``CommandError`` where there is none."""
    workspace = Workspace.objects.named(slug)
    if workspace is None:
        known = ", ".join(Workspace.objects.order_by("slug").values_list("slug", flat=True))
        raise CommandError(f"no workspace {slug!r}; known: {known}", returncode=USAGE)
    return workspace


def user_of(username: str) -> User:
    """Return who logs in by a name; raise ``CommandError`` where nobody does."""
    try:
        return user_named(username)
    except UnknownUser as error:
        raise CommandError(str(error), returncode=USAGE) from error
