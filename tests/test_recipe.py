from dataclasses import fields

from tolman.crew import Crew
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


def test_gpus_take_as_many_tokens_and_pairs_a_step_in_one_round_each():
    recipe = TransformerRecipe.derive(10**7, 10**4, "base")
    for objectives, gpus in ((1, 1), (1, 2), (1, 4), (1, 8), (2, 1), (2, 2), (2, 4), (4, 1), (4, 2), (4, 4)):
        crew = Crew(size=gpus)
        shared = recipe.on_gpus(gpus, objectives=objectives, documents=10**4, memory=80 * 10**9)
        batches, before = (crew.batches(one.rounds, objectives) for one in (shared, recipe))
        assert batches * objectives == max(gpus, objectives)
        assert batches * shared.tokens == before * recipe.tokens
        assert batches * shared.pairs == before * recipe.pairs


def test_a_small_gpu_keeps_its_rounds_and_a_small_corpus_its_pairs():
    recipe = TransformerRecipe.derive(10**6, 700, "base")
    assert recipe.on_gpus(1, objectives=1, documents=700, memory=4 * 10**9) == recipe
    assert recipe.on_gpus(1, objectives=1, documents=700, memory=11 * 10**9).rounds == 2
    assert recipe.on_gpus(1, objectives=1, documents=700, memory=80 * 10**9).pairs == 350
