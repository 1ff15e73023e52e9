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

    def score_cuts(self, cuts, between, languages=None):
        texts = self.read([cut.windows[0] for cut in cuts])
        between()
        return np.array([[len(text)] for text in texts], np.float32)

    def window_logits(self, windows):
        return np.array([[len(text)] for text in self.read(windows)], np.float32)

    def combined(self, logits, language=None):
        return logits.sum(axis=0)

    def read(self, windows):
        texts = [bytes(ids.tolist()).decode() for ids in windows]
        self.calls.append(texts)
        assert self.may.wait(10)
        if "bad" in texts:
            raise ValueError("bad")
        if "panic" in texts:
            raise PanicException
        return texts


class TextBatcher(Batcher):
    """A batcher that is given texts alone, or with the windows that they are cut into."""

    def score(self, text, *windows):
        windows = [np.frombuffer(part.encode(), np.uint8) for part in windows or (text,)]
        return super().score(text, Cut(windows, len(text)))


def parts(text, length=400):
    return [text[start : start + length] for start in range(0, len(text), length)]


def letters(count):
    """A text in which each window is another."""
    return "".join(f"{number:04}" for number in range(count))[:count]


def batching(test, workers=1, max_wait=60.0):
    """Run an asynchronous test with a batcher and its model."""

    async def run():
        model = Model()
        with ThreadPoolExecutor(workers) as executor:
            batcher = TextBatcher(model, executor, workers, max_wait)
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


@pytest.mark.parametrize("workers", [1, 2])
def test_short_texts_are_scored_between_the_turns_of_a_long_one(workers):
    async def test(batcher, model):
        model.may.clear()
        text = letters(4_000)
        long = batcher.score(text, *parts(text))
        await until(lambda: len(model.calls) == workers)
        before = batcher.wait
        short = batcher.score("short")
        assert batcher.wait - before < 0.01
        model.may.set()
        assert (await short)[0] == 5
        assert not long.done()
        assert (await long)[0] == 4_000
        turns = [call for call in model.calls if call != ["short"]]
        assert sorted(turns) == sorted([part] for part in parts(text))
        assert model.calls.index(["short"]) <= 2 * workers
        assert batcher.wait == batcher._work_ahead == 0

    batching(test, workers=workers)


def test_a_window_that_a_long_text_repeats_is_scored_once():
    async def test(batcher, model):
        row = await batcher.score("a" * 400 * 5 + "b", *["a" * 400] * 5, "b")
        assert row[0] == 400 * 5 + 1
        assert sorted(len(part) for call in model.calls for part in call) == [1, 400]

    batching(test)


def test_a_long_text_is_refused_where_all_before_it_take_too_long_and_a_short_one_is_not():
    async def test(batcher, model):
        model.may.clear()
        text = letters(20_000)
        long = batcher.score(text, *parts(text))
        cut = Cut([np.zeros(400, np.int64)] * 2, 1)
        with pytest.raises(ApiError, match="overloaded"):
            batcher.check([cut])
        batcher.check()
        batcher.check([Cut(cut.windows[:1], 1)])
        model.may.set()
        await long
        batcher.check([cut])

    batching(test, max_wait=1.0)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_long_text_ends_at_the_next_window_when_nobody_waits(workers):
    async def test(batcher, model):
        model.may.clear()
        text = letters(8_000)
        leaving = asyncio.ensure_future(batcher.score(text, *parts(text)))
        await until(lambda: len(model.calls) == workers)
        leaving.cancel()
        await asyncio.sleep(0)
        staying = batcher.score(text, *parts(text)[:3])  # the same text, asked for again
        model.may.set()
        assert (await staying)[0] == 1_200
        assert len(model.calls) == workers + 3
        await until(lambda: batcher.wait == 0)  # the other worker is done with what was left
        assert not batcher._jobs
        assert batcher._work_ahead == 0

    batching(test, workers=workers)


@pytest.mark.parametrize(("word", "error"), [("bad", ValueError), ("panic", RuntimeError)])
def test_a_long_text_fails_as_a_whole(word, error):
    async def test(batcher, model):
        text = letters(2_000)
        with pytest.raises(error):
            await batcher.score(text, *parts(text)[:3], word, *parts(text)[3:])
        assert (await batcher.score("good"))[0] == 4
        await until(lambda: batcher.wait == 0)
        assert not batcher._jobs
        assert batcher._work_ahead == 0

    batching(test, workers=2)


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
