"""Batching: small batches, each text once, an error when too many texts wait."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from comment_toxicity.service.batching import BATCH_TEXTS, Batcher, portions
from comment_toxicity.service.errors import ApiError
from comment_toxicity.windows import Cut


class PanicException(BaseException):
    """What a panic raises."""


class Model:
    """Scores a text by its length, once `may` is set. A text is cut into a token a letter."""

    def __init__(self):
        self.calls = []
        self.may = threading.Event()
        self.may.set()

    def score(self, cuts, between):
        texts = [bytes(cut.windows[0].tolist()).decode() for cut in cuts]
        self.calls.append(texts)
        assert self.may.wait(10)
        between()
        if "bad" in texts:
            raise ValueError("bad")
        if "panic" in texts:
            raise PanicException
        return np.array([[len(text)] for text in texts], np.float32)


class TextBatcher(Batcher):
    """A batcher that is given texts alone."""

    def score(self, text, cut=None):
        return super().score(text, Cut([np.frombuffer(text.encode(), np.uint8)], len(text)))


def batching(test, workers=1, max_wait=60.0):
    """Run an asynchronous test with a batcher and its model."""

    async def run():
        model = Model()
        with ThreadPoolExecutor(workers) as executor:
            batcher = TextBatcher(model.score, executor, workers, max_wait)
            try:
                await asyncio.wait_for(test(batcher, model), 10)
            finally:
                model.may.set()
                await batcher.close()

    asyncio.run(run())


async def until(condition):
    while not condition():
        await asyncio.sleep(0.001)


def test_each_caller_gets_the_scores_of_its_own_text():
    async def test(batcher, model):
        texts = ["a" * length for length in range(1, 60)]
        rows = await asyncio.gather(*map(batcher.score, texts))
        assert [float(row[0]) for row in rows] == [len(text) for text in texts]

    batching(test, workers=2)


def test_texts_that_arrive_while_the_model_works_are_scored_together():
    async def test(batcher, model):
        model.may.clear()
        first = batcher.score("first")
        await until(lambda: model.calls)
        others = [batcher.score(f"text {number}") for number in range(BATCH_TEXTS + 2)]
        model.may.set()
        await asyncio.gather(first, *others)
        assert [len(call) for call in model.calls] == [1, BATCH_TEXTS, 2]

    batching(test)


def test_a_long_text_is_scored_by_itself():
    async def test(batcher, model):
        model.may.clear()
        waiting = [batcher.score("first")]
        await until(lambda: model.calls)
        waiting += [batcher.score(text) for text in ("short", "long" * 1000, "brief")]
        model.may.set()
        await asyncio.gather(*waiting)
        assert [len(call) for call in model.calls] == [1, 1, 1, 1]

    batching(test)


def test_a_text_in_progress_is_scored_once_for_all_callers():
    async def test(batcher, model):
        model.may.clear()
        waiting = [batcher.score("same") for _ in range(5)]
        await until(lambda: model.calls)
        waiting += [batcher.score("same") for _ in range(5)]
        model.may.set()
        rows = await asyncio.gather(*waiting)
        assert model.calls == [["same"]]
        assert batcher.shared == 9
        assert all(row[0] == 4 for row in rows)
        await batcher.score("same")  # nothing is remembered afterwards
        assert len(model.calls) == 2

    batching(test)


def test_a_caller_who_leaves_cancels_nothing_for_the_others():
    async def test(batcher, model):
        model.may.clear()
        leaving = asyncio.ensure_future(batcher.score("same"))
        staying = asyncio.ensure_future(batcher.score("same"))
        await until(lambda: model.calls)
        leaving.cancel()
        model.may.set()
        assert (await staying)[0] == 4

    batching(test)


def test_a_text_whose_callers_have_left_is_not_scored():
    async def test(batcher, model):
        model.may.clear()
        batcher.score("first")
        await until(lambda: model.calls)
        leaving = [asyncio.ensure_future(batcher.score("second")) for _ in range(2)]
        leaving[0].cancel()
        await asyncio.sleep(0)
        assert batcher.wait > 0.005
        leaving[1].cancel()
        model.may.set()
        assert (await batcher.score("third"))[0] == 5
        assert [text for call in model.calls for text in call] == ["first", "third"]
        assert batcher.wait == 0

    batching(test)


def test_a_text_that_is_being_scored_ends_at_the_next_window_when_nobody_waits():
    async def test(batcher, model):
        for stays in (False, True):
            model.may.clear()
            model.calls.clear()
            leaving = asyncio.ensure_future(batcher.score("first"))
            await until(lambda: model.calls)
            leaving.cancel()
            await asyncio.sleep(0)
            staying = batcher.score("first") if stays else None
            model.may.set()
            if staying:  # asked again before the next window
                assert (await staying)[0] == 5
            else:
                await until(lambda: batcher.wait == 0)
                assert not batcher._jobs
        assert (await batcher.score("next"))[0] == 4

    batching(test)


def test_a_panic_reaches_those_who_wait_and_the_next_batch_works():
    async def test(batcher, model):
        for _ in range(3):
            with pytest.raises(RuntimeError, match="PanicException"):
                await batcher.score("panic")
        assert (await batcher.score("good"))[0] == 4
        assert batcher.alive

    batching(test)


def test_a_worker_that_ended_shows():
    async def test(batcher, model):
        assert batcher.alive
        batcher._tasks[0].cancel()
        await asyncio.sleep(0.01)
        assert not batcher.alive

    batching(test, workers=2)


def test_a_failure_reaches_those_who_wait_and_the_next_batch_works():
    async def test(batcher, model):
        with pytest.raises(ValueError, match="bad"):
            await batcher.score("bad")
        assert (await batcher.score("good"))[0] == 4
        assert batcher.wait == 0

    batching(test)


def test_a_text_that_would_wait_too_long_is_refused_until_less_waits():
    async def test(batcher, model):
        model.may.clear()
        batcher.check()
        waiting = [batcher.score("x" * 14_000), batcher.score("y" * 14_000)]
        assert batcher.wait > 1
        with pytest.raises(ApiError) as caught:
            batcher.check()
        assert caught.value.code == 503
        assert int(caught.value.headers["Retry-After"]) >= 1
        model.may.set()
        await asyncio.gather(*waiting)
        assert batcher.wait == 0
        batcher.check()

    batching(test, max_wait=1.0)


def test_the_estimated_wait_follows_the_measured_speed():
    async def test(batcher, model):
        for number in range(60):
            await batcher.score(f"{number}" * 5_000)  # this model takes no time at all
        model.may.clear()
        waiting = [batcher.score("x" * 14_000), batcher.score("y" * 14_000)]
        assert batcher.wait < 1
        model.may.set()
        await asyncio.gather(*waiting)

    batching(test)


def test_a_long_request_is_split_into_portions():
    def cut(sizes):
        return [sizes[portion] for portion in portions(sizes)]

    assert cut([]) == []
    assert cut([5] * 20) == [[5] * 8, [5] * 8, [5] * 4]
    assert cut([9000] * 5) == [[9000, 9000], [9000, 9000], [9000]]
    assert cut([1, 1, 9000, 1, 1]) == [[1, 1, 9000], [1, 1]]
