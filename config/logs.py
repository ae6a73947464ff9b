"""Lines of the log that say for which request they were written."""

import logging

from processing.origin import request_id


class RequestIdFilter(logging.Filter):
    """Gives each record its ``mark``: the id of the request in brackets, or nothing."""

    def filter(self, record: logging.LogRecord) -> bool:
        asked_by = request_id()
        record.mark = f" [{asked_by}]" if asked_by else ""
        return True
