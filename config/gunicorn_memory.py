"""Memory that uploads are read into again and again stays with the process."""

import ctypes

#: Of ``malloc.h``.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3

#: A few pieces of an upload; each arena of the C library may keep that much unused.
KEPT_BYTES = 8 * 1024 * 1024


def keep_freed_memory() -> None:
    """Have ``free`` keep ``KEPT_BYTES``, where the C library is glibc.

    Otherwise every piece of a body is returned to the kernel, which clears it for the next one:
    a quarter of what an upload costs.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
