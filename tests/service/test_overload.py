"""Too much work at once is refused; internal errors reveal nothing."""

import gc
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.service.conftest import KIND, RUDE, until


class SlowModel:
    """The embedded model, which scores only once `may` is set."""

    def __init__(self, classifier):
        self._classifier = classifier
        self.may = threading.Event()
        self.asked = threading.Semaphore(0)

    def __getattr__(self, name):
        return getattr(self._classifier, name)

    def score_cuts(self, cuts, between=None, languages=None):
        self.asked.release()
        assert self.may.wait(20)
        return self._classifier.score_cuts(cuts, between, languages)

    def window_logits(self, windows):
        self.asked.release()
        assert self.may.wait(20)
        return self._classifier.window_logits(windows)


def test_requests_beyond_max_requests_get_503_until_the_others_are_done(serving, embedded):
    model = SlowModel(embedded)
    with serving(model, max_requests=4) as running, ThreadPoolExecutor(20) as callers:
        sent = [callers.submit(running.analyze, f"{RUDE} {number}") for number in range(20)]
        model.asked.acquire()
        until(lambda: sum(call.done() for call in sent) == 16)
        assert running.get("/health/live").status == 200
        model.may.set()
        replies = [call.result() for call in sent]
        refused = [reply for reply in replies if reply.status == 503]
        assert len(refused) == 16
        assert sum(reply.status == 200 for reply in replies) == 4
        assert all(int(reply.headers["retry-after"]) >= 1 for reply in refused)
        assert refused[0].json["error"]["status"] == "UNAVAILABLE"
        assert running.analyze(RUDE).status == 200


def test_a_request_that_would_wait_beyond_max_wait_gets_503(serving, embedded):
    model = SlowModel(embedded)
    with serving(model, max_wait=0.01) as running, ThreadPoolExecutor(2) as callers:
        long = callers.submit(running.analyze, "long " * 2_000)
        model.asked.acquire()
        assert running.analyze(RUDE).status == 503
        model.may.set()
        assert long.result().status == 200
        assert running.analyze(RUDE).status == 200


def test_a_long_text_waits_for_all_and_short_ones_for_a_turn(serving, embedded):
    model = SlowModel(embedded)
    long = " ".join(map(str, range(4_000)))
    with serving(model) as running, ThreadPoolExecutor(3) as callers:
        first = callers.submit(running.analyze, long, languages=["en"])
        model.asked.acquire()
        assert running.analyze(f"{long}!", languages=["en"]).status == 503
        assert running.post("/v1/score", {"texts": [f"{long}!"]}).status == 503
        short = callers.submit(running.analyze, RUDE)
        until(lambda: running.service._active == 2)
        model.may.set()
        assert short.result().status == 200
        scores = first.result().json["attributeScores"]["TOXICITY"]["summaryScore"]
        assert scores["value"] == pytest.approx(float(embedded.score([long])[0, 0]), abs=1e-6)


def test_a_caller_who_leaves_fills_no_log(serving, embedded, caplog):
    model = SlowModel(embedded)
    with serving(model) as running, ThreadPoolExecutor(1) as callers:
        busy = callers.submit(running.analyze, RUDE)
        model.asked.acquire()
        host, port = running.url.removeprefix("http://").split(":")
        body = json.dumps({"texts": [KIND] * 3}).encode()
        with socket.create_connection((host, int(port))) as caller:
            head = f"POST /v1/score HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n"
            caller.sendall(f"{head}\r\n".encode() + body)
            until(lambda: running.service._active == 2)
        until(lambda: running.service._active == 1)
        model.may.set()
        assert busy.result().status == 200
    gc.collect()
    # Ray, in other tests of this process, logs from a thread of its own.
    assert not [record for record in caplog.records if not record.name.startswith("ray")]


def test_concurrent_requests_for_one_text_score_it_once(serving, embedded):
    model = SlowModel(embedded)
    with serving(model) as running, ThreadPoolExecutor(9) as callers:
        sent = [callers.submit(running.analyze, RUDE) for _ in range(9)]
        model.asked.acquire()
        until(lambda: running.service._active == 9)
        model.may.set()
        replies = [call.result() for call in sent]
        assert {reply.status for reply in replies} == {200}
        assert len({reply.body for reply in replies}) == 1
        metrics = running.get("/metrics").body.decode()
        assert "toxicity_texts_scored_total 1.0" in metrics
        assert "toxicity_texts_shared_total 8.0" in metrics


def test_an_internal_error_reveals_nothing_of_the_text(serving, embedded, caplog):
    class Broken(SlowModel):
        def cut(self, texts, most=None):
            raise ValueError(texts[0])

    with serving(Broken(embedded)) as running:
        reply = running.analyze("very private words")
    assert reply.status == 500
    assert reply.json["error"]["message"] == "Internal error encountered."
    assert "ValueError" in caplog.text
    assert "private" not in caplog.text


def test_callers_who_leave_are_not_scored_to_the_end(serving, embedded):
    model = SlowModel(embedded)
    texts = [f"{number} is the number of this page. " * 40 for number in range(900)]
    body = json.dumps({"texts": texts}).encode()
    with serving(model) as running:
        host, port = running.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as caller:
            head = f"POST /v1/score HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n"
            caller.sendall(f"{head}\r\n".encode() + body)
            model.asked.acquire()
        until(lambda: not running.service._active)
        model.may.set()
        assert running.analyze(RUDE).status == 200  # after what was left of the others
        scored = running.service.metrics.texts._value.get()
        assert scored < len(texts) / 2
        assert 'status="499"' in running.get("/metrics").body.decode()


def test_a_caller_who_leaves_while_waiting_takes_no_turn(serving, embedded):
    model = SlowModel(embedded)
    with serving(model) as running, ThreadPoolExecutor(4) as callers:
        busy = [callers.submit(running.analyze, f"{RUDE} {number}") for number in range(4)]
        model.asked.acquire()
        until(lambda: running.service._active == 4)
        host, port = running.url.removeprefix("http://").split(":")
        body = json.dumps({"texts": ["nobody waits for this"]}).encode()
        with socket.create_connection((host, int(port))) as caller:
            head = f"POST /v1/score HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n"
            caller.sendall(f"{head}\r\n".encode() + body)
            until(lambda: running.service._active == 5)
        until(lambda: running.service._active == 4)
        until(lambda: ("nobody waits for this", None) not in running.service._batchers[0]._jobs)
        model.may.set()
        assert {call.result().status for call in busy} == {200}


def test_without_a_worker_the_service_is_not_ready(serving, embedded):
    with serving(embedded) as running:
        assert running.get("/health/ready").status == 200
        loop = running.service._batchers[0]._tasks[0].get_loop()
        loop.call_soon_threadsafe(running.service._batchers[0]._tasks[0].cancel)
        until(lambda: running.get("/health/ready").status == 503)
