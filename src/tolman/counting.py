"""How many of what, for messages."""


def counted(count: int, one: str, many: str | None = None) -> str:
    """ "1 document", "1,200 documents"; `many` where an s is not all the difference."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
