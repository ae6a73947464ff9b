"""``make bench-queue``: the job queue beside other queues, its own limits and bare Python."""
