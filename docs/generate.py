"""Write the pages that the code determines: docs/cli.md from --help, docs/api.md from the docstrings.

python docs/generate.py            write them
python docs/generate.py --check    exit 1 and say so when one is stale
"""

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from click.testing import CliRunner

import tolman
from tolman.cli import app

DOCS = Path(__file__).parent
VERBS = (
    *("learn", "tune", "distil", "add", "remove", "search", "topics", "map", "senses", "words"),
    *("serve", "mcp", "encode", "evaluate", "info"),
    *("models list", "models pull"),
)
NOTE = "<!-- Written by docs/generate.py; change the code, then run `make docs`. -->\n"


def cli_page() -> str:
    """Every verb's --help."""
    sections = [f"{NOTE}\n# Command line\n\n{_help('')}"]
    sections += [f"## tolman {verb}\n\n{_help(verb)}" for verb in VERBS]
    return "\n".join(sections)


def api_page() -> str:
    """Every public name with its signature and docstring; functions first, then classes, then errors."""
    names = [name for name in tolman.__all__ if not name.startswith("_")]
    functions = [name for name in names if inspect.isfunction(getattr(tolman, name))]
    classes = [name for name in names if inspect.isclass(getattr(tolman, name))]
    errors = [name for name in classes if issubclass(getattr(tolman, name), Exception)]
    parts = [
        f"{NOTE}\n# Python\n\nEvery name here is `tolman.NAME`; `import tolman` loads none of them until it is used.\n"
    ]
    parts += map(_function_section, functions)
    parts += [_class_section(name) for name in classes if name not in errors]
    parts += ["## Errors\n"] + [f"- `{name}`: {inspect.getdoc(getattr(tolman, name))}" for name in errors]
    return "\n".join(parts) + "\n"


def _help(verb: str) -> str:
    outcome = CliRunner().invoke(app, [*verb.split(), "--help"], prog_name="tolman", terminal_width=100)
    return f"```text\n{outcome.stdout.strip()}\n```\n"


def _function_section(name: str) -> str:
    function = getattr(tolman, name)
    return f"## {name}\n\n```python\n{_signature(name, function)}\n```\n\n{_markdown(inspect.getdoc(function) or '')}\n"


def _class_section(name: str) -> str:
    kind = getattr(tolman, name)
    parts = [f"## {name}\n\n{_markdown(inspect.getdoc(kind) or '')}\n"]
    for member, value in vars(kind).items():
        function = getattr(value, "__func__", value)  # a class method's own function
        if member.startswith("_") or not inspect.getdoc(value):
            continue
        if isinstance(value, property) and f"\n    {member}: " in (inspect.getdoc(kind) or ""):
            continue  # it stands among the attributes
        if isinstance(value, property):
            parts.append(f"**`.{member}`**: {_markdown(inspect.getdoc(value) or '')}\n")
        elif inspect.isfunction(function):
            parts.append(f"**`.{_signature(member, function)}`**\n\n{_markdown(inspect.getdoc(value) or '')}\n")
    return "\n".join(parts)


def _signature(name: str, function: object) -> str:
    shown = f"{name}{inspect.signature(function)}"  # type: ignore[arg-type]
    shown = re.sub(r"(: |-> )'([^']*)'", r"\1\2", shown)  # forward references
    shown = re.sub(r"(self|cls)(, )?", "", shown, count=1) if "(self" in shown or "(cls" in shown else shown
    shown = re.sub(
        r"\b(?:tolman|pathlib|datetime|collections\.abc|typing|numpy|pyarrow)\.(?:\w+\.)*(\w+)", r"\1", shown
    )
    return shown.replace("ndarray[tuple[Any, ...], dtype[float32]]", "NDArray[float32]").replace("'", '"')


def _markdown(docstring: str) -> str:
    """A Google-style docstring: sections become bold, their entries a list."""
    return "\n".join(_markdown_lines(docstring)).strip()


def _markdown_lines(docstring: str) -> Iterator[str]:
    section = ""
    for line in docstring.splitlines():
        heading = re.fullmatch(r"(Args|Returns|Raises|Attributes|Yields):", line)
        entry = re.match(r"    ([\w*, ]+): (.*)", line) if section in ("Args", "Raises", "Attributes") else None
        if heading:
            section = heading[1]
            yield f"**{section}**\n"
        elif line and not line.startswith(" "):
            section = ""
            yield line
        elif entry:
            yield f"- `{entry[1]}`: {entry[2]}"
        else:
            yield (
                f"  {line.strip()}".rstrip()
                if section in ("Args", "Raises", "Attributes")
                else line.strip()
                if section
                else line
            )


def main() -> int:
    """Write or check; the exit code."""
    stale = []
    for name, page in (("cli.md", cli_page()), ("api.md", api_page())):
        path = DOCS / name
        if "--check" not in sys.argv:
            path.write_text(page, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != page:
            stale.append(f"docs/{name}")
    if stale:
        print(f"stale: {', '.join(stale)}; run `make docs`", file=sys.stderr)
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main())
