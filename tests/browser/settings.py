"""The settings of the installation that browsers are sent to: its engine hears tones."""

from config.settings.test import *  # noqa: F403

ENGINES = {"rehearsed": "tests.browser.engine.RehearsedEngine"}
ENGINE = "rehearsed"
MAX_UPLOAD_BYTES = 4_000_000
