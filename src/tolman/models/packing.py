"""Sequences that lie one after the other in one long row, without padding."""

from collections.abc import Iterator, Sequence
from itertools import groupby


def runs(lengths: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """(first token, number of sequences, length) of each run of equally long neighbours."""
    start = 0
    for length, group in groupby(lengths):
        count = len(list(group))
        yield start, count, length
        start += count * length
