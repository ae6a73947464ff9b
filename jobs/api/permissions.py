"""Who may change what is there, by posting to it."""

from rest_framework.permissions import DjangoModelPermissions, IsAdminUser


class ChangePermission(DjangoModelPermissions):
    """To post to an object is to change it, not to add one."""

    perms_map = {"POST": ["%(app_label)s.change_%(model_name)s"], "OPTIONS": []}


MAY_CHANGE = [IsAdminUser, ChangePermission]
