import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "transformers", "sentence_transformers", "sklearn", "scipy", "pandas", "polars", "rich", "pydantic")
SCRIPT = """
import atexit, sys
atexit.register(lambda: print("loaded:", *(name for name in {heavy!r} if name in sys.modules), file=sys.stderr))
sys.argv = ["tolman", *{arguments!r}]
from tolman.cli import main
main()
"""


@pytest.mark.parametrize("options", [(), ("--json",), ("--mode", "dense"), ("--where", "year > 2020")])
def test_a_search_loads_nothing_heavy(tickets_space: Path, options: tuple[str, ...]) -> None:
    arguments = ("search", str(tickets_space), "refund", *options)
    script = SCRIPT.format(heavy=HEAVY, arguments=arguments)
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert outcome.stdout
    assert outcome.stderr == "loaded:\n"


@pytest.mark.parametrize(
    "dial", [("--budget", "soon"), ("--objectives", "all"), ("--steps", "0"), ("--base", "nowhere")]
)
def test_what_learn_refuses_it_refuses_before_torch_is_loaded(tmp_path: Path, dial: tuple[str, str]) -> None:
    (tmp_path / "t.txt").write_text("one\ntwo\n")
    script = SCRIPT.format(heavy=("torch", "transformers"), arguments=("learn", str(tmp_path / "t.txt"), *dial))
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert outcome.returncode == 1
    complaint, loaded = outcome.stderr.splitlines()
    assert complaint.startswith("error: ")
    assert loaded == "loaded:"


def test_pandas_itself_stays_importable() -> None:
    script = (
        "from tolman.cli.cold_start import import_arrow_without_pandas as load; load()\n"
        "import pandas, pyarrow; print(pandas.DataFrame({'a': [1]}).a.sum(), pyarrow.table({'a': [2]})['a'][0])"
    )
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert outcome.stdout == "1 2\n"
