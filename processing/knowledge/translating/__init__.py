"""Documents in other languages."""
