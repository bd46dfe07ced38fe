import numpy as np

from tolman.digests import digests_of


def test_equal_vectors_have_equal_digests_and_others_have_others():
    vectors = np.random.default_rng(0).standard_normal((500, 7)).astype(np.float32)
    found = digests_of(np.concatenate([vectors, vectors[::-1]]))
    np.testing.assert_array_equal(found[:500], found[500:][::-1])
    assert len(set(found.tolist())) == 500
    assert digests_of(np.nextafter(vectors[:1], 2)) != found[:1]
