"""Under which licence the weights of a model folder are, as far as its own card says."""

import re
from pathlib import Path

_CARD = "README.md"
_FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---", re.DOTALL)
_LICENCE = re.compile(r"^licen[cs]e:[ \t]*[\"']?([\w .+-]+)", re.MULTILINE)


def stated_licence(folder: Path) -> str | None:
    """What the `license` field of a hub model card in `folder` says; None where there is no card or it doesn't say."""
    try:
        card = (folder / _CARD).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    front = _FRONT_MATTER.match(card)
    found = _LICENCE.search(front[1]) if front else None
    return found[1].strip() if found else None
