from tolman.lru import LruCache


def test_what_was_used_longest_ago_goes_first():
    cache = LruCache[str, int](3)
    for number, key in enumerate("abc"):
        cache.keep(key, number, 1)
    assert not cache.is_full
    assert cache.find("ax") == {"a": 0}
    cache.keep("d", 3, 1)
    assert cache.find("abcd") == {"a": 0, "c": 2, "d": 3}
    assert cache.is_full
    assert cache.held == 3


def test_what_is_known_stays_and_is_counted_once():
    cache = LruCache[str, int](10)
    cache.keep("a", 1, 4)
    cache.keep("a", 2, 4)
    assert (cache.find(["a"]), cache.held) == ({"a": 1}, 4)


def test_what_is_larger_than_the_bound_is_not_kept():
    cache = LruCache[str, int](10)
    cache.keep("b", 0, 4)
    cache.keep("a", 1, 11)
    assert (cache.find(["a", "b"]), cache.held) == ({"b": 0}, 4)
