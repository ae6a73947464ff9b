"""The settings of an installation, with engines that cost nothing and no early 429."""

from tests.bench.settings import *  # noqa: F403
from tests.fakes.text import FakeChat, FakeTranslator

ENGINE = "metronome"
CHAT = FakeChat()
TRANSLATOR = FakeTranslator()

API_REQUESTS_PER_MINUTE = API_UPLOADS_PER_MINUTE = ANONYMOUS_REQUESTS_PER_MINUTE = 0
