import pytest

from tolman.errors import TolmanError
from tolman.plan import Plan


@pytest.mark.parametrize(
    ("base", "objectives", "plan"),
    [
        ("scratch", None, Plan(True, None, True, None)),
        ("scratch", "none", Plan(True, None, False, None)),
        ("scratch", "contrastive", Plan(True, None, True, None)),
        ("minilm", None, Plan(False, "minilm", False, None)),
        ("minilm", "none", Plan(False, "minilm", False, None)),
        ("scratch+some/folder", None, Plan(True, "some/folder", True, None)),
    ],
)
def test_plans(base, objectives, plan):
    assert Plan.parse(base, objectives, None) == plan


@pytest.mark.parametrize(
    ("base", "objectives", "size"),
    [
        ("scratch", "masked", None),
        ("minilm", "contrastive", None),
        ("scratch+", None, None),
        ("", None, None),
        (" ", None, None),
        ("minilm", None, "tiny"),
        ("scratch", None, "huge"),
        ("scratch", None, ""),
        ("scratch", None, float("nan")),
    ],
)
def test_dials_that_do_not_go_together(base, objectives, size):
    with pytest.raises(TolmanError):
        Plan.parse(base, objectives, size)
