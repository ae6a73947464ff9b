"""The queues in the benchmark, one module each; all but ours run in the peers' own environment."""
