"""Figures of the cache in templates."""

from django import template

from caching import presentation

register = template.Library()
register.filter("size", presentation.size)
register.filter("ratio", presentation.ratio)
register.filter("health_line", presentation.health_line)
