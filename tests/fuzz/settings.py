"""The settings of an installation, with engines that cost nothing and no early 429."""

from tests.bench.settings import *  # noqa: F403
from tests.fakes.text import FakeChat, FakeTranslator

ENGINE = "metronome"
CHAT = FakeChat()  # type: ignore[assignment]  # an engine itself may be there
TRANSLATOR = FakeTranslator()  # type: ignore[assignment]  # as above

API_REQUESTS_PER_MINUTE = API_UPLOADS_PER_MINUTE = ANONYMOUS_REQUESTS_PER_MINUTE = 0
LOGIN_FAILURES = 0

# Webhooks that are posted to this machine, where nobody listens: see the hooks.
WEBHOOK_ALLOWED_HOSTS = ["localhost"]
WEBHOOKS_PER_WORKSPACE = 1_000_000
