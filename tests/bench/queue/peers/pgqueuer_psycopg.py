"""pgqueuer, enqueuing by the driver that is ours too."""

from tests.bench.queue.peers.pgqueuer import Pgqueuer


class PgqueuerByPsycopg(Pgqueuer):
    """Its workers are those of ``Pgqueuer``."""

    driver = "psycopg"


PEER = PgqueuerByPsycopg
