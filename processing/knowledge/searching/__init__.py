"""Finding passages: by their words, by what they mean, and what is needed for that."""
