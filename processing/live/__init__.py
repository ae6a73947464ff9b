"""What happens to a run, told to whoever follows it while it happens."""
