"""Whom things belong to: members and their roles, keys, quotas, and the account of it all."""
