"""What follows from transcripts and documents: index, search, summaries, translations, answers."""
