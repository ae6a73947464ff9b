"""Who reads and writes text for us, and what each of them promises."""
