"""Handing transcripts out: to standard output or to files, with what there is to say of each."""

import json
from dataclasses import dataclass
from pathlib import PurePath

from django.core.management.base import OutputWrapper

from processing.choices import ProcessingStatus
from processing.management.names import one_line
from processing.management.results import ResultExists, Results, Targets
from processing.management.sources import Source
from processing.models import Transcript
from processing.services.exports import FORMATS, as_dict
from processing.services.requesting import TranscriptRequest

#: Exit statuses.
DONE, FAILED, USAGE, PARTIAL = 0, 1, 2, 3
INTERRUPTED = 130


@dataclass(frozen=True)
class Order:
    """A recording that was handed in, and the files its transcript goes to, if any."""

    source: Source
    request: TranscriptRequest
    targets: Targets

    @property
    def shown(self) -> str:
        return one_line(PurePath(self.source.shown).name)


class Delivery:
    """Writes finished transcripts to the files of their orders, or to ``stdout``."""

    def __init__(
        self,
        stdout: OutputWrapper,
        stderr: OutputWrapper,
        *,
        results: Results,
        format_name: str,
        is_one_of_many: bool,
    ) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self._results = results
        self._format = format_name
        self._is_one_of_many = is_one_of_many

    def deliver(self, order: Order) -> int:
        """Hand out the transcript of a run that is over; return the exit status it means."""
        processing, transcript = order.request.processing, order.request.transcript
        if processing.status in (ProcessingStatus.FAILED, ProcessingStatus.CANCELLED):
            reason = processing.error_message or processing.status.lower()
            return self.complain(order.source.shown, reason)
        transcript.refresh_from_db()
        try:
            for name, target in order.targets.items():
                self._results.write(target, FORMATS[name][1](transcript))
        except (ResultExists, OSError) as error:
            return self.complain(order.source.shown, str(error))
        if not order.targets:
            self._print(order, transcript)
        if not transcript.text:
            self._stderr.write(f"{order.shown}: no speech was heard")
        if order.request.is_cached:
            self._stderr.write(f"{order.shown}: from the cache")
        for gap in transcript.gaps:
            self._stderr.write(
                f"{order.shown}: nothing from {gap['start']:.1f} s to "
                f"{gap['end']:.1f} s ({gap['reason']})"
            )
        return PARTIAL if processing.status == ProcessingStatus.PARTIAL else DONE

    def _print(self, order: Order, transcript: Transcript) -> None:
        if self._is_one_of_many and self._format == "json":
            document = {"file": order.source.shown} | as_dict(transcript)
            self._stdout.write(json.dumps(document, ensure_ascii=False))
        else:
            text = FORMATS[self._format][1](transcript)
            self._stdout.write(text, ending="\n" if self._is_one_of_many else "")
        self._stdout.flush()

    def complain(self, shown: str, reason: str) -> int:
        """Say what is wrong with a recording, in one line."""
        self._stderr.write(f"{one_line(shown)}: {one_line(reason)}")
        return FAILED
