"""Who may take things out of the cache, and who may have it warmed."""

from rest_framework.permissions import DjangoModelPermissions, IsAdminUser


class DeletePermission(DjangoModelPermissions):
    """To invalidate is to delete entries."""

    perms_map = {"POST": ["%(app_label)s.delete_%(model_name)s"], "OPTIONS": []}


class ChangePermission(DjangoModelPermissions):
    """To warm is to change where entries are."""

    perms_map = {"POST": ["%(app_label)s.change_%(model_name)s"], "OPTIONS": []}


MAY_INVALIDATE = [IsAdminUser, DeletePermission]
MAY_WARM = [IsAdminUser, ChangePermission]
