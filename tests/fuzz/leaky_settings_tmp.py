from tests.fuzz.settings import *  # noqa
MIDDLEWARE = [*MIDDLEWARE, "tests.fuzz.leaky_tmp.leak"]  # noqa
