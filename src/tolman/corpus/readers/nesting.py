"""How deep a web page nests its elements, told before it is parsed.

A parser of HTML looks through all open elements at every tag, so its time grows with their sum over the tags. No page
comes near what is allowed here; what does would keep the parser for minutes to hours.
"""

import re
from collections import Counter

MOST_OPEN_ELEMENTS = 10**9  # summed over the tags: some seconds of parsing

# Comments and scripts run to the end of the file where nothing ends them, as in a browser.
_TAG = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style|textarea|title)\b.*?(?:</\1|\Z)|<(/?)([a-z][^\s/>]*)", re.DOTALL | re.IGNORECASE
)
# Elements without content, and those that a neighbour or a parent ends: pages leave their end tags out.
_NOT_COUNTED = frozenset(
    "area base br col embed hr img input link meta param source track wbr "
    "html head body p li dt dd tr td th thead tbody tfoot colgroup option optgroup rp rt".split()
)
# The end tag of one of these ends no element around or inside it that is still open.
_PHRASES = frozenset("a b big code em font i nobr s small span strike strong tt u".split())


def is_nested_too_deep(html: str) -> bool:
    """Whether parsing `html` would take time out of all proportion. Takes time in proportion itself."""
    open_names: list[str] = []
    counted: Counter[str] = Counter()
    total = 0
    for tag in _TAG.finditer(html):
        name = (tag[3] or "").lower()
        if not name or name in _NOT_COUNTED:
            continue
        if not tag[2]:
            open_names.append(name)
            counted[name] += 1
            total += len(open_names)
            if total > MOST_OPEN_ELEMENTS:
                return True
        elif counted[name] and (name not in _PHRASES or open_names[-1] == name):
            _close(name, open_names, counted)
    return False


def _close(name: str, open_names: list[str], counted: Counter[str]) -> None:
    """End the innermost `name` and what is open inside it."""
    while True:
        last = open_names.pop()
        counted[last] -= 1
        if last == name:
            return
