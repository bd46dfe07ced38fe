from dataclasses import fields

from tolman.recipe import ScratchRecipe, TransformerRecipe


def test_sizes_are_dimensions():
    assert [ScratchRecipe.derive(5_000, size).dim for size in ("tiny", "small", "base", None)] == [128, 256, 512, 512]
    assert ScratchRecipe.derive(500).dim == 256


def test_neighbours_differ_in_one_number():
    for documents in (500, 20_000):
        recipe = ScratchRecipe.derive(documents)
        for other in recipe.neighbours():
            assert sum(getattr(recipe, f.name) != getattr(other, f.name) for f in fields(recipe)) == 1


def test_a_tiny_corpus_still_gets_a_batch_and_a_step():
    recipe = ScratchRecipe.derive(2)
    assert recipe.batch >= 2
    assert recipe.steps >= 1


def test_fingerprints_tell_runs_apart():
    recipe = ScratchRecipe.derive(500)
    prints = {recipe.fingerprint(*run) for run in (("c", 0, 60.0), ("d", 0, 60.0), ("c", 1, 60.0), ("c", 0, 30.0))}
    assert len(prints | {next(recipe.neighbours()).fingerprint("c", 0, 60.0)}) == 5


def test_gpus_take_the_same_step_in_one_round_each():
    recipe = TransformerRecipe.derive(10**7, 10**4, "base")
    for gpus, rounds in ((1, 1), (2, 2), (3, 2), (4, 4), (8, 4)):
        shared = recipe.on_gpus(gpus)
        assert shared.rounds == rounds
        assert (shared.rounds * shared.tokens, shared.rounds * shared.pairs) == (4 * recipe.tokens, 4 * recipe.pairs)
