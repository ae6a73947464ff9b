"""Names of files as a terminal may show them."""


def one_line(name: str) -> str:
    """Return a file's name as it may be shown: control characters would break the line."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
