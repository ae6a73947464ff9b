"""Users and their groups in the admin: Django's own pages, of any number of users."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User

from jobs.lists import AMONG_NEWEST, LargeListAdmin, NewestValues

admin.site.unregister([User, Group])


@admin.register(User)
class LargeUserAdmin(LargeListAdmin, UserAdmin):  # type: ignore[type-arg]  # not subscriptable
    list_filter = (
        ("is_staff", NewestValues),
        ("is_superuser", NewestValues),
        ("is_active", NewestValues),
    )
    ordering = ("-id",)
    in_order_of_ids = True
    found_by = ("username",)
    search_help_text = f"A username, or a part of a name or an address {AMONG_NEWEST}"
    sortable_by = ("username",)


@admin.register(Group)
class LargeGroupAdmin(LargeListAdmin, GroupAdmin):
    search_help_text = f"A part of a name {AMONG_NEWEST}"
    sortable_by = ()
