"""The settings of the benchmarks, plus views to measure ours against, and no early 429."""

from tests.bench.settings import *  # noqa: F403

ROOT_URLCONF = "tests.bench.api.bare"

# Requests are counted, as anywhere; only the limits are out of reach.
API_REQUESTS_PER_MINUTE = API_UPLOADS_PER_MINUTE = 10_000_000
