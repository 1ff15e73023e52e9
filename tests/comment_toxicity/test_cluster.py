"""`score --ray`: a real cluster of three nodes on this machine, one of which is killed."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time

import pyarrow
import pyarrow.parquet
import pytest

from comment_toxicity import ModelError, SettingsError, load_classifier
from comment_toxicity.__main__ import main
from comment_toxicity.batch import Scorer
from comment_toxicity.files import cluster
from comment_toxicity.files.many import Options, plan, run
from comment_toxicity.routing import load_models
from tests.running import ROOT

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own
ROWS = 150
AGENT_PORTS = (
    "metrics_agent_port",
    "metrics_export_port",
    "dashboard_agent_listen_port",
    "runtime_env_agent_port",
)


@pytest.fixture(scope="module")
def comments(tmp_path_factory):
    """20 files of comments, no two alike, some with blank rows."""
    folder = tmp_path_factory.mktemp("comments")
    for number in range(20):
        texts = [f"you bad idiot {number} {row} " * 3 for row in range(ROWS)]
        texts[number] = " "
        table = pyarrow.table({"id": range(ROWS), "text": texts})
        pyarrow.parquet.write_table(table, folder / f"part-{number:02d}.parquet")
    return folder


@pytest.fixture(scope="module")
def expected(comments, exported, tmp_path_factory):
    """The files that one process writes: name → bytes."""
    output = tmp_path_factory.mktemp("expected")
    run(load_classifier(exported), plan([str(comments)], str(output)), Options(), print)
    return contents(output)


@pytest.fixture(scope="module")
def nodes():
    """A cluster of a head and two nodes with a CPU each; the head has one more, to read."""
    from ray.cluster_utils import Cluster

    def node(cpus):
        # Ray waits 15 s for its agents to choose ports, which is too short on a busy machine.
        ports = dict.fromkeys(AGENT_PORTS)
        with contextlib.ExitStack() as held:
            for name in ports:
                free = held.enter_context(socket.create_server(("127.0.0.1", 0)))
                ports[name] = free.getsockname()[1]
        memory = 200_000_000
        return {"num_cpus": cpus, "object_store_memory": memory, "include_dashboard": False} | ports

    three = Cluster(initialize_head=True, head_node_args=node(2))
    three.add_node(**node(1))
    three.add_node(**node(1))
    three.wait_for_nodes()
    yield three
    three.shutdown()


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.parquet")}


def score(comments, output, exported, address, *arguments):
    """Run the command as a person does. Returns its exit code and its stderr."""
    command = [sys.executable, "-m", "comment_toxicity", "score", str(comments)]
    command += ["--output", str(output), "--model", str(exported), *arguments, "--ray", address]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return answer.returncode, answer.stderr


def test_a_node_is_killed_in_the_middle_and_nothing_is_lost_or_doubled(
    nodes, comments, exported, expected, tmp_path
):
    finished = []

    def kill():
        while len(contents(tmp_path)) < 3:
            time.sleep(0.01)
        [_, victim] = nodes.worker_nodes
        nodes.remove_node(victim, allow_graceful=False)
        finished[:] = contents(tmp_path)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    code, message = score(comments, tmp_path, exported, nodes.address)
    killer.join(60)
    assert code == 0, message
    assert len(nodes.worker_nodes) == 1
    assert 3 <= len(finished) < 20
    assert f"{20 * ROWS} rows" in message or "were finished before" in message
    assert contents(tmp_path) == expected  # to the last bit
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".parquet"] == []


def test_finished_files_are_not_repeated_on_the_cluster_either(nodes, comments, exported, tmp_path):
    main(["score", str(comments), "--output", str(tmp_path), "--model", str(exported)])
    (tmp_path / "part-07.parquet").unlink()
    code, message = score(comments, tmp_path, exported, nodes.address)
    assert code == 0, message
    assert f"1 files (19 more were finished before), {ROWS} rows, 1 of them without" in message


@pytest.fixture
def driver(nodes, exported):
    """A connection of this process to the cluster, as Ray Data needs it."""
    import ray

    ray.init(address=nodes.address, log_to_driver=False)
    yield ray
    ray.shutdown()


def test_the_scorer_runs_in_ray_data(driver, comments, exported, expected):
    import ray.data

    ray.data.DataContext.get_current().enable_progress_bars = False
    rows = ray.data.read_parquet(f"{comments}/part-00.parquet").map_batches(
        Scorer,
        fn_constructor_kwargs={"model": str(exported), "text_column": "text"},
        batch_format="pyarrow",
        concurrency=1,  # of two CPUs: one is left for reading
        num_cpus=1,
    )
    scored = pyarrow.Table.from_pylist(sorted(rows.take_all(), key=lambda row: row["id"]))
    alone = pyarrow.parquet.read_table(pyarrow.BufferReader(expected["part-00.parquet"]))
    assert scored.select(["text", "toxic_score"]).to_pylist() == (
        alone.select(["text", "toxic_score"]).to_pylist()
    )


@pytest.fixture
def answers(monkeypatch):
    """Tasks that run here at once, without a cluster of many processes."""
    import ray

    monkeypatch.setattr(cluster, "_cpus", lambda: 1)
    monkeypatch.setattr(cluster, "_free_cpus", lambda: 1)
    monkeypatch.setattr(ray, "init", lambda **_: None)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr(ray, "wait", lambda tasks, timeout: (tasks[:1], tasks[1:]))
    monkeypatch.setattr(ray, "get", lambda task: task())

    class Remote:
        def __init__(self, function):
            self.function = function

        def remote(self, *arguments):
            return lambda: self.function(*arguments)

    monkeypatch.setattr(ray, "remote", lambda **_: Remote)
    return monkeypatch


def test_a_cluster_without_a_cpu_is_refused(answers, tiny):
    answers.setattr(cluster, "_cpus", lambda: 0)
    with pytest.raises(SettingsError, match="has no CPU for scoring; add a node"):
        cluster.run_on_ray(tiny, [], Options(), print)


def test_a_busy_cluster_and_one_without_nodes_are_told(answers, tiny, comments, tmp_path):
    """Ray itself waits without a word."""
    states = iter([1, 0, 0, 1, 1])
    answers.setattr(cluster, "_cpus", lambda: next(states))
    answers.setattr(cluster, "_free_cpus", lambda: 0)
    told = []
    jobs = plan([f"{comments}/part-0[0-3].parquet"], f"{tmp_path}/")
    assert cluster.run_on_ray(tiny, jobs, Options(), told.append).files == 4
    assert [sentence.partition(";")[0] for sentence in told] == [
        "All CPUs of the Ray cluster are busy",
        "The Ray cluster has lost its last CPU",
    ]


def test_several_models_score_a_file_as_they_do_here(answers, exported, comments, tmp_path):
    german = shutil.copytree(exported, tmp_path / "german")
    (german / "README.md").write_text("---\nlanguage: de\n---\n")
    models = load_models(f"{exported},{german}")
    inputs = [f"{comments}/part-0[0-1].parquet"]
    cluster.run_on_ray(models, plan(inputs, f"{tmp_path}/ray/"), Options(), print)
    main(["score", *inputs, "--output", f"{tmp_path}/here/", "--model", models.name])
    assert contents(tmp_path / "ray") == contents(tmp_path / "here")


def test_a_broken_file_is_reported_and_another_model_ends_the_run(
    answers, model_folder, comments, tmp_path
):
    broken = tmp_path / "in"
    broken.mkdir()
    (broken / "a.csv").write_text("other\n1\n")
    (broken / "b.csv").write_text("text\nyou\n")
    told = []
    classifier = load_classifier(model_folder)
    jobs = plan([str(broken)], str(tmp_path / "out"))
    totals = cluster.run_on_ray(classifier, jobs, Options(), told.append)
    assert (totals.files, len(totals.failed)) == (1, 1)
    assert told[0].startswith(f"{broken / 'a.csv'}: no column comment_text or text")

    (model_folder / "decision.json").unlink()
    answers.setattr("comment_toxicity.batch._loaded", {})
    with pytest.raises(ModelError, match="install the same model on all machines"):
        cluster.run_on_ray(classifier, jobs, Options(), told.append)


def test_a_file_whose_worker_is_lost_again_and_again_is_reported(answers, tiny, comments, tmp_path):
    import ray

    def lost(*_):
        raise ray.exceptions.NodeDiedError("node 7 is gone")

    answers.setattr(cluster, "_score", lost)
    jobs = plan([f"{comments}/part-00.parquet"], f"{tmp_path}/")
    totals = cluster.run_on_ray(tiny, jobs, Options(), print)
    assert len(totals.failed) == 1
    assert "its node or process was lost 5 times" in totals.failed[0]


def test_an_address_where_no_cluster_is_becomes_one_sentence(tiny, monkeypatch):
    import ray

    def refused(**_):
        raise ConnectionError("nothing there\nand much more")

    monkeypatch.setattr(ray, "init", refused)
    monkeypatch.setitem(os.environ, "RAY_ADDRESS", "10.0.0.7:6379")
    with pytest.raises(SettingsError, match=r"^--ray 10.0.0.7:6379: no cluster answers \(nothing"):
        cluster.run_on_ray(tiny, [], Options(), print)


def test_a_token_that_is_missing_here_becomes_one_sentence(tiny, monkeypatch, tmp_path):
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    command = [sys.executable, "-m", "comment_toxicity", "score", str(ROOT / "data"), "--output"]
    command += [str(tmp_path / "out"), "--ray", "127.0.0.1:1"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    assert "no authentication token was found); give its address" in answer.stderr.splitlines()[-1]


def test_without_ray_the_command_says_what_to_install(monkeypatch, tiny):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SettingsError, match=r'pip install "comment-toxicity\[ray\]"'):
        cluster.run_on_ray(tiny, [], Options(), print)
