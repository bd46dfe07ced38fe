"""Filters: one SQL condition each, checked before Lance parses it.

Lance stops reading at the end of the first condition and drops what follows without a word. In brackets it can't: what
stands between the end of a condition and the bracket is an error. So all that is left to check here is that the bracket
which closes the filter is ours, and that the filter is small enough for a parser that descends on the stack.
"""

import re
from collections.abc import Mapping, Sequence

from tolman.corpus.metadata import free_name
from tolman.errors import QueryError

DEEPEST = 32
"""Brackets within brackets. Lance's parser gives up a little later."""
MOST_PARTS = 1_000
"""Names, values and signs, but for lists of values. Several times as many crash the process."""

_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`")
_VALUE = r"(?:''|[-+]?[\d.]+(?:[eE][-+]?\d+)?|true|false|null)"
_LIST = re.compile(rf"\((?:\s*{_VALUE}\s*,)*\s*{_VALUE}\s*\)", re.IGNORECASE)
_PART = re.compile(r"\w+|[^\w\s]")
# Lance has no place for a value that is to come, nor for text of other kinds, and aborts.
_ABORTS = re.compile(r"[?$]|(?<!:):\w|\b(?:n|b|r|br|rb|e|x|q|u&)''", re.IGNORECASE)
_PARSER = re.compile(r"sql parser error: (.*)\)", re.DOTALL)
_SHOWN = 200

# What Lance says, and how we do.
_MISSING = re.compile(r"No field named \"?([^\s\"]+?)\"?\.(?:\s|$)")
_LITERAL = re.compile(
    r"Received literal (\w+)\(\"?(.*?)\"?\) and could not convert to literal of type '(\w+)", re.DOTALL
)
_KINDS = {
    **{"Int": "whole numbers", "Float": "numbers", "Utf8": "texts", "Boolean": "truth values"},
    **{"Date": "dates", "Timestamp": "times"},
}
_SAID = {
    "Divide by zero": "the filter divides by zero",
    "does not return a boolean": "the filter isn't an SQL condition, true or false of each document",
    "Cannot access field": "the filter asks for a part of a column that has none (a dot in a name is _ here)",
    "Invalid function": "the filter calls a function that there is not",
    "requires String": "the filter gives a function of texts something else",
    "common argument type": "the filter compares things of different types",
    "common type": "the filter compares things of different types",
    "Cannot cast": "the filter compares things of different types",
}


def check_filter(where: object) -> str:
    """`where` in brackets, for Lance to parse.

    Raises:
        QueryError: it can't be one condition.
    """
    if not isinstance(where, str) or not where.strip():
        got = "an empty text" if isinstance(where, str) else repr(where)
        raise QueryError(f'a filter is an SQL condition like "year > 2020", as text; got {got}')
    named = next((quoted for quoted in _QUOTED.findall(where) if quoted[0] == '"'), None)
    if named is not None:
        raise QueryError(
            f"{named} in a filter can mean a text or a column: write '{named[1:-1]}' for the text, "
            f"`{named[1:-1]}` for the column"
        )
    bare = _QUOTED.sub(lambda quoted: "''" if quoted[0][0] == "'" else " x ", where)
    wrong = next((sign for sign in (";", "--", "/*") if sign in bare), None) or _first(_ABORTS, bare)
    if wrong:
        raise QueryError(f"a filter is one SQL condition, without {wrong!r}; got: {_shown(where)}")
    _check_brackets(where, bare)
    parts = len(_PART.findall(_LIST.sub(" x ", bare)))
    if parts > MOST_PARTS:
        raise QueryError(
            f"the filter is too long: expected at most {MOST_PARTS:,} names, values and signs beside lists, got "
            f"{parts:,}; many values of one column fit in a list, COLUMN IN (...)"
        )
    return f"({where})"


def explain_refusal(where: str, said: str, columns: Sequence[str], called: Mapping[str, str]) -> str:
    """Why Lance refused the filter `where`, in one line of our words.

    Args:
        where: as its author wrote it.
        said: what Lance said.
        columns: those that a filter can name.
        called: name in the source -> column.
    """
    about = said.replace(where, "")  # which may hold any words
    missing = _MISSING.search(about)
    if missing:
        name, here = missing[1], called.get(missing[1], free_name(missing[1]))
        what = f"{name} is called {here} here" if here in columns and here != name else name
        return f"the filter names no column of this space: {what} (there are: {', '.join(columns)})"
    literal = _LITERAL.search(about)
    if literal:
        got = f"'{literal[2]}'" if literal[1] in ("Utf8", "LargeUtf8") else literal[2]
        kind = next((kind for name, kind in _KINDS.items() if literal[3].startswith(name)), "another type")
        return f"the filter compares a column of {kind} with {_shown(got)}: {_shown(where)}"
    known = next((ours for theirs, ours in _SAID.items() if theirs in about), None)
    if known:
        return f"{known}: {_shown(where)}"
    parser = _PARSER.search(said)
    if parser:
        expected, _, found = parser[1].partition(", found: ")
        ours = expected == "Expected: )"
        reason = f"{'expected its end' if ours else expected}, found {'its end' if found == ')' else found}"
        said = reason.replace("Expected: ", "expected ") if found else parser[1]
    return f"the filter isn't an SQL condition: {_shown(where)} ({_shown(said)})"


def _check_brackets(where: str, bare: str) -> None:
    depth = deepest = 0
    for sign in re.findall(r"[()]", bare):
        depth += 1 if sign == "(" else -1
        deepest = max(deepest, depth)
        if depth < 0:
            break
    if depth:
        raise QueryError(f"a filter is one SQL condition, with as many ')' as '('; got: {_shown(where)}")
    if deepest > DEEPEST:
        raise QueryError(f"the filter is too deep: expected at most {DEEPEST} brackets within another, got {deepest:,}")


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return found[0] if found else None


def _shown(text: str) -> str:
    """On one line, and not all of a long one."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]} ..."
