"""``make bench-cache``: the cache beside other caches, its own limits and bare clients."""
