"""The decision log: what is written, that it is bounded, and that no request waits for it."""

import json
import multiprocessing
import re
import threading
from pathlib import Path

import pytest
import sqlalchemy as sql

from comment_toxicity.service import decision_file, decision_log, decision_table
from comment_toxicity.service.decision_file import Entry, FileStore
from comment_toxicity.service.decision_log import DecisionLog
from comment_toxicity.service.metrics import Metrics
from tests.service.conftest import KIND, RUDE, until

ENTRY = Entry("2026-11-29T08:24:13Z", "c-1", "garden", "9728", {"toxic": 0.5}, ["toxic"])


def entries(path):
    return [json.loads(line) for line in Path(path).read_text(encoding="ascii").splitlines()]


def counted(running, result):
    page = running.get("/metrics").body.decode()
    found = re.search(rf'toxicity_decisions_total{{result="{result}"}} (\S+)', page)
    return float(found[1]) if found else None


def test_each_comment_with_an_id_gets_a_line_in_every_format(serving, embedded, tmp_path):
    policy, log = tmp_path / "policy.toml", tmp_path / "log.jsonl"
    policy.write_text("[policies.strict.thresholds]\ntoxic = 0.0", encoding="utf-8")
    with serving(decision_log=str(log), policy=str(policy)) as running:
        running.post("/v1/score", {"texts": [KIND, RUDE, "", RUDE], "ids": ["a", None, "b", "c"]})
        running.post("/v1/score", {"texts": [KIND], "ids": ["d"], "policy": "strict"})
        running.post("/v1/score", {"texts": [RUDE]})
        running.analyze(RUDE, clientToken="token", doNotStore=True)
        running.analyze(RUDE)
        running.suggest(RUDE, {"TOXICITY": 1}, clientToken="suggested")
        one = running.post("/v1/moderations", {"input": KIND}).json["id"]
        two = running.post("/v1/moderations", {"input": [KIND, RUDE]}).json["id"]
    lines = entries(log)
    assert [line["id"] for line in lines] == [
        *("a", "c", "d", "token", one, f"{two}/0", f"{two}/1")
    ]
    [rude] = embedded.score([RUDE])
    assert lines[1]["flags"] == embedded.flags(rude)
    assert list(lines[1]["scores"].values()) == pytest.approx(rude.tolist())
    assert (lines[2]["policy"], lines[2]["flags"]) == ("strict", ["toxic"])
    for line in lines:
        assert set(line) == {"time", "id", "policy", "weights", "scores", "flags"}
        assert line["weights"] == embedded.decision.weights.sha256
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line["time"])


def test_neither_text_nor_key_is_in_the_log(serving, tmp_path):
    log, keys = tmp_path / "log.jsonl", tmp_path / "keys"
    keys.write_text("secret-key", encoding="utf-8")
    with serving(decision_log=str(log), api_keys_file=str(keys)) as running:
        body = {"texts": [RUDE], "ids": ["a"]}
        assert running.post("/v1/score", body, X_Goog_Api_Key="secret-key").status == 200
    text = log.read_text(encoding="ascii")
    assert '"id":"a"' in text
    assert "idiot" not in text
    assert "secret" not in text
    assert "127.0.0.1" not in text
    assert log.stat().st_mode & 0o777 == 0o600


def test_without_the_flag_nothing_is_written_or_counted(running):
    assert running.post("/v1/score", {"texts": [KIND], "ids": ["a"]}).status == 200
    assert counted(running, "written") is None


@pytest.mark.parametrize(
    "ids", ["a", {"a": 1}, [3], ["a" * 201], [["a"]], ["a"] * 1001], ids=range(6)
)
def test_ids_that_cannot_be_kept_are_refused(running, ids):
    reply = running.post("/v1/score", {"texts": [KIND], "ids": ids})
    assert reply.status == 400
    assert "ids must be" in reply.error[0]


def test_a_client_token_that_is_too_long_costs_a_line_and_no_request(serving, tmp_path):
    with serving(decision_log=str(tmp_path / "log")) as running:
        assert running.analyze(RUDE, clientToken="t" * 201).status == 200
        assert running.analyze(RUDE, clientToken="t" * 200).status == 200
        until(lambda: counted(running, "written") == 1)
        assert counted(running, "lost") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_a_full_disk_costs_lines_and_no_request(serving, caplog):
    with serving(decision_log="/dev/full") as running:
        for number in range(3):
            body = {"texts": [KIND], "ids": [str(number)]}
            assert running.post("/v1/score", body).status == 200
        until(lambda: counted(running, "lost") == 3)
        assert counted(running, "written") == 0
    told = [record.getMessage() for record in caplog.records]
    assert told == ["The decision log loses lines: No space left on device."]


def test_a_store_that_hangs_delays_no_request(serving, monkeypatch, tmp_path):
    hangs, may = threading.Event(), threading.Event()

    def hang(*_):
        hangs.set()
        may.wait()

    monkeypatch.setattr(FileStore, "write", hang)
    monkeypatch.setattr(decision_log, "MAX_WAITING", 5)
    monkeypatch.setattr(decision_log, "STOP_SECONDS", 0.2)
    try:
        with serving(decision_log=str(tmp_path / "log")) as running:
            for number in range(20):
                body = {"texts": [KIND], "ids": [str(number)]}
                assert running.post("/v1/score", body).status == 200
                assert hangs.wait(60)  # with the first line
            assert counted(running, "lost") == 20 - 1 - 5
    finally:  # the service has stopped without it
        may.set()


def test_the_files_are_bounded_and_the_oldest_goes_first(tmp_path):
    path = tmp_path / "log.jsonl"
    store = FileStore(path, 20_000)
    store.open()
    for number in range(400):
        store.write([Entry(**{**vars(ENTRY), "id": f"c-{number}"})])
    kept = decision_file.files(path)
    assert len(kept) == decision_file.FILES
    assert {file.name for file in tmp_path.iterdir()} == {file.name for file in kept}
    assert sum(file.stat().st_size for file in kept) <= 20_000
    numbers = [int(entry["id"][2:]) for entry in decision_file.read(path)]
    assert numbers == list(range(numbers[0], 400))
    assert numbers[0] > 200


def write_many(path, name, count):
    store = FileStore(path, 1_000_000)
    for number in range(count):
        store.write([Entry(**{**vars(ENTRY), "id": f"{name}-{number}"})] * 3)


def test_processes_that_share_a_file_lose_no_line(tmp_path):
    path = tmp_path / "log.jsonl"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(path, n, 400)) for n in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    found = list(decision_file.read(path))
    assert len(found) == 3 * 400 * 3
    assert None not in found
    assert len(decision_file.files(path)) > 1  # they rotated it meanwhile


def test_half_a_line_does_not_spoil_the_next(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(ENTRY.line() + ENTRY.line()[:20])
    FileStore(path, 1_000_000).write([ENTRY])
    first, broken, last = decision_file.read(path)
    assert broken is None
    assert first == last == json.loads(ENTRY.line())


def test_a_write_that_fails_halfway_leaves_no_half_line(tmp_path, monkeypatch):
    path = tmp_path / "log.jsonl"
    store = FileStore(path, 1_000_000)
    store.write([ENTRY])
    stream_of = FileStore._stream

    class Short:
        """A file on a disk that takes ten more bytes."""

        def __init__(self, stream):
            self._stream = stream

        def __getattr__(self, name):
            return getattr(self._stream, name)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self._stream.close()

        def write(self, content):
            return self._stream.write(content[:10])

    monkeypatch.setattr(FileStore, "_stream", lambda self: Short(stream_of(self)))
    with pytest.raises(OSError, match="No space left"):
        store.write([ENTRY])
    assert path.read_bytes() == ENTRY.line()


def test_a_database_keeps_the_same_and_its_newest_rows(serving, embedded, database, monkeypatch):
    with serving(decision_log=database) as running:
        running.analyze(RUDE, clientToken="tok\x00en\ud800")
        until(lambda: counted(running, "written") == 1)
    [row] = decision_table.read(database)
    assert row["id"] == "tok�en�"
    assert row["flags"] == embedded.flags(embedded.score([RUDE])[0])
    assert row["weights"] == embedded.decision.weights.sha256

    monkeypatch.setattr(decision_table, "TRIMMED", 1)
    store = decision_table.DatabaseStore(database, 5)
    for number in range(12):
        store.write([Entry(**{**vars(ENTRY), "id": str(number)})])
    store.close()
    assert [row["id"] for row in decision_table.read(database)] == ["7", "8", "9", "10", "11"]


def test_a_database_that_goes_away_costs_lines(serving, tmp_path):
    url = f"sqlite:///{tmp_path / 'kept.sqlite3'}"
    with serving(decision_log=url) as running:
        engine = sql.create_engine(url)
        with engine.begin() as connection:
            decision_table.TABLE.drop(connection)
        engine.dispose()
        assert running.analyze(RUDE, clientToken="a").status == 200
        until(lambda: counted(running, "lost") == 1)


def test_what_waits_is_written_before_the_service_stops(tmp_path):
    path = tmp_path / "log.jsonl"
    log = DecisionLog(str(path), 1, Metrics())
    log.open()
    for number in range(2000):
        log.put(str(number), "", "", {}, [])
    log.close()
    assert [entry["id"] for entry in decision_file.read(path)] == list(map(str, range(2000)))
