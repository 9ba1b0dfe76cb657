"""SGLang's radix cache: what is found when, kept once, and evicted in which order (S10)."""

from __future__ import annotations

from simulator.engine.radix import RadixCache
from simulator.engine.request import Request

A, B, C = 1, 2, 3


def request(*pieces: tuple[int, int], output: int = 4) -> Request:
    return Request(0, 0.0, sum(tokens for _, tokens in pieces), output, pieces=pieces)


def computed(cache: RadixCache, *pieces: tuple[int, int]) -> Request:
    """A request that holds its computed prompt."""
    made = request(*pieces)
    cache.lookup(made, made.prompt)
    cache.admit(made, made.prompt)
    cache.insert(made, made.prompt)
    return made


def ended(cache: RadixCache, *pieces: tuple[int, int]) -> None:
    made = computed(cache, *pieces)
    cache.release(made, made.prompt, made.prompt)
    cache.forget(made)


def hit(cache: RadixCache, *pieces: tuple[int, int]) -> int:
    made = request(*pieces)
    tokens = cache.lookup(made, made.prompt + 1)
    cache.forget(made)
    return tokens


def test_hits_have_any_length_and_leave_one_token_to_compute() -> None:
    cache = RadixCache(100, 1)
    ended(cache, (A, 10))
    assert hit(cache, (A, 7), (B, 5)) == 7
    whole = request((A, 10))
    assert cache.lookup(whole, 10) == 9


def test_pages_are_found_whole() -> None:
    cache = RadixCache(100, 4)
    ended(cache, (A, 10))
    assert hit(cache, (A, 10)) == 8
    assert hit(cache, (A, 7), (B, 5)) == 4


def test_nothing_is_found_before_it_was_computed() -> None:
    cache = RadixCache(100, 1)
    first = request((A, 10))
    cache.lookup(first, 10)
    cache.admit(first, 10)
    assert hit(cache, (A, 10)) == 0
    cache.insert(first, 6)
    assert hit(cache, (A, 10)) == 6


def test_equal_content_is_kept_once() -> None:
    cache = RadixCache(100, 1)
    first, second = request((A, 10)), request((A, 10))
    for made in (first, second):
        cache.lookup(made, 10)
        cache.admit(made, 10)
    assert cache.free == 80
    cache.insert(first, 10)
    cache.insert(second, 10)
    assert cache.free == 90
    for made in (first, second):
        cache.release(made, 10, 10)
    assert (cache.free, cache.blank) == (100, 90)


def test_the_longest_unused_leaf_goes_first_and_whole() -> None:
    cache = RadixCache(30, 1)
    ended(cache, (A, 10), (B, 5))
    ended(cache, (C, 10))
    assert hit(cache, (A, 10)) == 10  # used again; so the tail B and then C are older
    cache.take(6)
    assert cache.blank == 4  # of 5 blank and B's 5
    assert (hit(cache, (A, 10), (B, 5)), hit(cache, (C, 10))) == (10, 10)
    cache.take(5)
    assert (hit(cache, (A, 10)), hit(cache, (C, 10))) == (0, 10)


def test_what_is_in_use_stays() -> None:
    cache = RadixCache(30, 1)
    holder = computed(cache, (A, 10))
    ended(cache, (A, 5), (B, 10))
    cache.take(20)
    assert (hit(cache, (A, 10)), hit(cache, (A, 5), (B, 10))) == (10, 5)
    assert cache.free == 0
    cache.release(holder, 10, 10)
    assert cache.free == 10


def test_what_a_retracted_request_had_in_the_tree_stays_by_its_last_use() -> None:
    cache = RadixCache(40, 1)
    victim = computed(cache, (A, 10))
    ended(cache, (B, 10))
    cache.take(5)
    cache.release(victim, 15, victim.registered)
    assert (cache.free, cache.blank) == (40, 20)
    cache.take(21)
    assert (hit(cache, (A, 10)), hit(cache, (B, 10))) == (0, 10)
