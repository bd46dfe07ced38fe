import pytest

from tolman.errors import TolmanError
from tolman.plan import Plan


@pytest.mark.parametrize(
    ("base", "objectives", "plan"),
    [
        ("scratch", None, Plan("static", None, {"contrastive": 1.0})),
        ("scratch", "none", Plan("static", None, {})),
        ("scratch", "contrastive", Plan("static", None, {"contrastive": 1.0})),
        ("static", None, Plan("static", None, {"contrastive": 1.0})),
        ("scratch", "masked", Plan("transformer", None, {"masked": 1.0})),
        ("scratch", "masked=1, contrastive=0.5", Plan("transformer", None, {"masked": 1.0, "contrastive": 0.5})),
        ("scratch", {"causal": 2}, Plan("transformer", None, {"causal": 2.0})),
        ("transformer", None, Plan("transformer", None, {"masked": 1.0, "contrastive": 1.0})),
        ("transformer", "contrastive", Plan("transformer", None, {"contrastive": 1.0})),
        ("minilm", None, Plan(None, "minilm")),
        ("minilm", "none", Plan(None, "minilm")),
        ("minilm", "contrastive", Plan("adapted", "minilm", {"contrastive": 1.0})),
        ("writer/", "causal", Plan("causal", "writer/", {"causal": 1.0})),
        ("scratch+some/folder", None, Plan("static", "some/folder", {"contrastive": 1.0})),
    ],
)
def test_plans(base, objectives, plan):
    assert Plan.parse(base, objectives, None) == plan


@pytest.mark.parametrize(
    ("base", "objectives", "size"),
    [
        ("scratch", "guessing", None),
        ("scratch", "masked=0", None),
        ("scratch", "masked=much", None),
        ("scratch", "masked,masked=2", None),
        ("scratch", "", None),
        ("static", "masked", None),
        ("transformer", "none", None),
        ("scratch+minilm", "masked", None),
        ("transformer+minilm", None, None),
        ("minilm", "causal,contrastive", None),
        ("minilm", "autoencoding", None),
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


def test_steps_are_for_transformers():
    assert Plan.parse("transformer", "masked", None, 5).steps == 5
    assert Plan.parse("minilm", "contrastive", None, 5).steps == 5
    for base, steps in (("scratch", 5), ("minilm", 5), ("transformer", 0), ("transformer", True), ("transformer", 1.5)):
        with pytest.raises(TolmanError, match="steps"):
            Plan.parse(base, None, None, steps)
