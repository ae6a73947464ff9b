"""Questions to documents: what may answer them, and the answer with what it rests on."""
