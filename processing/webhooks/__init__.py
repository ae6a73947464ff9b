"""Telling addresses of a workspace's own what happens in it: signed, and until they have it."""
