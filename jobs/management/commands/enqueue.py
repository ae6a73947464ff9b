"""``manage.py enqueue JOB_TYPE``: have something done, from a terminal."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from jobs import handlers
from jobs.choices import TERMINAL, JobPriority, JobStatus
from jobs.exceptions import InvalidPayload, NoCapableWorker, NotFromOutside, UnknownJobType
from jobs.management.arguments import duration, json_object
from jobs.management.follow import follow
from jobs.management.terminal import FAILED, USAGE, OperatorCommand
from jobs.models import Job
from jobs.services.bulk import bulk_enqueue
from jobs.services.dispatcher import JobDispatcher
from jobs.services.requests import JobRequest


class Command(OperatorCommand):
    help = (
        "Enqueue a job and print its id, or the id of the one that has its key already. "
        "Exit status: 0 enqueued, with --wait completed; 1 failed or cancelled; 2 wrong usage; "
        "130 interrupted (the job goes on)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "job_type",
            metavar="JOB_TYPE",
            help=f"one of: {', '.join(handlers.types_from_outside())}",
        )
        parser.add_argument(
            "--payload",
            type=json_object,
            default={},
            metavar="JSON",
            help="an object; - reads it from standard input (default: {})",
        )
        parser.add_argument(
            "--priority",
            choices=[priority.name.lower() for priority in JobPriority],
            default=JobPriority.NORMAL.name.lower(),
            help="default: %(default)s",
        )
        parser.add_argument(
            "--idempotency-key", metavar="KEY", help="return the job that has it, if there is one"
        )
        parser.add_argument(
            "--unique-key", metavar="KEY", help="return the active job that has it, if there is one"
        )
        parser.add_argument(
            "--delay", type=duration, metavar="TIME", help="begin after it, such as 10m"
        )
        parser.add_argument(
            "--expires-in",
            type=duration,
            metavar="TIME",
            help="give it up when it has not begun after that, such as 1h",
        )
        parser.add_argument("--wait", action="store_true", help="wait until it is over")

    def handle(self, *args: Any, **options: Any) -> None:
        report = bulk_enqueue([self._request(options)], continue_on_error=True)
        if report.refused:
            raise CommandError(report.refused[0].message, returncode=USAGE)
        job = Job.objects.get(pk=str(report.ids[0]))
        self.stdout.write(str(job.pk))
        self.stdout.flush()
        if report.existing:
            self.say(f"This job existed already; it is {job.status}.")
        if job.status not in TERMINAL:
            self._warn_when_nobody_comes(job)
        if options["wait"]:
            self._wait(job)

    def _request(self, options: dict[str, Any]) -> JobRequest:
        now = timezone.now()
        delay, expires_in = options["delay"], options["expires_in"]
        try:
            payload = handlers.payload_from_outside(options["job_type"], options["payload"])
        except (UnknownJobType, NotFromOutside, InvalidPayload) as error:
            raise CommandError(str(error), returncode=USAGE) from error
        return JobRequest(
            job_type=options["job_type"],
            payload=payload,
            priority=JobPriority[options["priority"].upper()],
            available_at=now + delay if delay else None,
            expires_at=now + expires_in if expires_in else None,
            idempotency_key=options["idempotency_key"],
            unique_key=options["unique_key"],
        )

    def _warn_when_nobody_comes(self, job: Job) -> None:
        try:
            JobDispatcher().dispatch(job)
        except NoCapableWorker as error:
            self.stderr.write(f"It waits: {error}. Start one with: manage.py work")

    def _wait(self, job: Job) -> None:
        follow(job, tell=self.say)
        if job.status != JobStatus.COMPLETED:
            reason = f": {job.error_code}: {job.error_message}" if job.error_code else ""
            raise CommandError(f"the job is {job.status}{reason}", returncode=FAILED)
