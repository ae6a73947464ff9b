"""How templates show what transcripts and their results are like."""

from django import template

from jobs.presentation import status_badge
from processing.admin.presentation import progress_bar
from processing.admin.reading import result_line
from processing.services.progress import clock

register = template.Library()

register.filter("badge", status_badge)
register.filter("clock", clock)
register.filter("progress", progress_bar)
register.filter("result_line", result_line)
