"""Documents in short, and the phrases that say what they are about."""
