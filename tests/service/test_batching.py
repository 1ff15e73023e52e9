"""Gathering: small batches, each text once, refusals when too much waits."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from comment_toxicity.service.batching import BATCH_TEXTS, Gatherer, portions
from comment_toxicity.service.errors import RefusedError


class Model:
    """Scores a text by its length, once it may."""

    def __init__(self):
        self.calls = []
        self.may = threading.Event()
        self.may.set()

    def score(self, texts):
        self.calls.append(list(texts))
        assert self.may.wait(10)
        if "bad" in texts:
            raise ValueError("bad")
        return np.array([[len(text)] for text in texts], np.float32)


def gathering(test, workers=1, max_wait=60.0):
    """Run an asynchronous test with a gatherer and its model."""

    async def run():
        model = Model()
        with ThreadPoolExecutor(workers) as executor:
            gatherer = Gatherer(model.score, executor, workers, max_wait)
            try:
                await asyncio.wait_for(test(gatherer, model), 10)
            finally:
                model.may.set()
                await gatherer.close()

    asyncio.run(run())


async def until(condition):
    while not condition():
        await asyncio.sleep(0.001)


def test_each_caller_gets_the_scores_of_its_own_text():
    async def test(gatherer, model):
        texts = ["a" * length for length in range(1, 60)]
        rows = await asyncio.gather(*map(gatherer.score, texts))
        assert [float(row[0]) for row in rows] == [len(text) for text in texts]

    gathering(test, workers=2)


def test_what_comes_in_while_the_model_works_is_scored_together():
    async def test(gatherer, model):
        model.may.clear()
        first = gatherer.score("first")
        await until(lambda: model.calls)
        others = [gatherer.score(f"text {number}") for number in range(BATCH_TEXTS + 2)]
        model.may.set()
        await asyncio.gather(first, *others)
        assert [len(call) for call in model.calls] == [1, BATCH_TEXTS, 2]

    gathering(test)


def test_a_long_text_is_scored_by_itself():
    async def test(gatherer, model):
        model.may.clear()
        waiting = [gatherer.score("first")]
        await until(lambda: model.calls)
        waiting += [gatherer.score(text) for text in ("short", "long" * 1000, "brief")]
        model.may.set()
        await asyncio.gather(*waiting)
        assert [len(call) for call in model.calls] == [1, 1, 1, 1]

    gathering(test)


def test_a_text_in_flight_is_scored_once_for_all_who_ask():
    async def test(gatherer, model):
        model.may.clear()
        waiting = [gatherer.score("same") for _ in range(5)]
        await until(lambda: model.calls)
        waiting += [gatherer.score("same") for _ in range(5)]
        model.may.set()
        rows = await asyncio.gather(*waiting)
        assert model.calls == [["same"]]
        assert gatherer.shared == 9
        assert all(row[0] == 4 for row in rows)
        await gatherer.score("same")  # nothing is remembered afterwards
        assert len(model.calls) == 2

    gathering(test)


def test_one_who_goes_away_takes_nothing_from_the_others():
    async def test(gatherer, model):
        model.may.clear()
        leaving = asyncio.ensure_future(gatherer.score("same"))
        staying = asyncio.ensure_future(gatherer.score("same"))
        await until(lambda: model.calls)
        leaving.cancel()
        model.may.set()
        assert (await staying)[0] == 4

    gathering(test)


def test_a_failure_reaches_those_who_wait_and_the_next_batch_works():
    async def test(gatherer, model):
        with pytest.raises(ValueError, match="bad"):
            await gatherer.score("bad")
        assert (await gatherer.score("good"))[0] == 4
        assert gatherer.wait == 0

    gathering(test)


def test_a_text_that_would_wait_too_long_is_refused_until_less_waits():
    async def test(gatherer, model):
        model.may.clear()
        gatherer.check()
        waiting = [gatherer.score("x" * 60_000), gatherer.score("y" * 60_000)]
        assert gatherer.wait > 1
        with pytest.raises(RefusedError) as caught:
            gatherer.check()
        assert caught.value.code == 503
        assert int(caught.value.headers["Retry-After"]) >= 1
        model.may.set()
        await asyncio.gather(*waiting)
        assert gatherer.wait == 0
        gatherer.check()

    gathering(test, max_wait=1.0)


def test_how_long_one_waits_is_learned_from_how_fast_it_goes():
    async def test(gatherer, model):
        for number in range(60):
            await gatherer.score(f"{number}" * 5_000)  # this model takes no time at all
        model.may.clear()
        waiting = [gatherer.score("x" * 60_000), gatherer.score("y" * 60_000)]
        assert gatherer.wait < 1
        model.may.set()
        await asyncio.gather(*waiting)

    gathering(test)


def test_a_long_request_is_cut_into_portions():
    def cut(sizes):
        return [sizes[portion] for portion in portions(sizes)]

    assert cut([]) == []
    assert cut([5] * 20) == [[5] * 8, [5] * 8, [5] * 4]
    assert cut([9000] * 5) == [[9000, 9000], [9000, 9000], [9000]]
    assert cut([1, 1, 9000, 1, 1]) == [[1, 1, 9000], [1, 1]]
