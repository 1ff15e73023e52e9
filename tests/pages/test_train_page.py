"""The Train page: one run for the whole server, in a process of its own."""

import json
import os
import signal
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor

import pytest

from comment_toxicity.disk import write_json
from comment_toxicity.errors import DataError, PublishError, SettingsError
from finetune.config import from_toml
from tests.pages.standins import button, visit
from tests.running import python
from ui.files.upload import look_into
from ui.train import form, publish
from ui.train.rows import classes_of, listed_labels, look_at_rows
from ui.train.run import Training, as_shown, as_toml


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server whose runs are in tmp_path/runs, and are tests/pages/fake_finetune.py."""
    monkeypatch.setattr("ui.train.run.MODULE", "tests.pages.fake_finetune")
    monkeypatch.setattr("ui.train.run.GRACE", 5.0)
    monkeypatch.setattr(Training.__init__, "__defaults__", (tmp_path / "runs",))
    run = Training()
    yield run
    if run.is_running():
        (run.runs / "go").touch()
        wait_for(lambda: not run.is_running())


STARTS_A_RUN = """
import sys
from pathlib import Path
import ui.train.run
ui.train.run.MODULE = "tests.pages.fake_finetune"
ui.train.run.Training(Path(sys.argv[1])).start("mine", {"base_model": "base"})
"""


def wait_for(fact, seconds=20):
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end
        time.sleep(0.02)


def begin(server, name="mine", **settings):
    server.start(name, {"base_model": "base", **settings})
    wait_for(lambda: server.status().steps)


def end(server):
    (server.runs / "go").touch()
    wait_for(lambda: not server.is_running())


def test_before_the_first_run_there_is_no_status(server):
    assert server.status() is None
    assert not server.is_running()


def test_another_server_sees_the_run_with_its_steps(server):
    begin(server)
    status = Training(server.runs).status()  # as another server process would
    assert (status.state, status.name, status.stage) == ("running", "mine", "train")
    assert (status.step, status.steps) == (6, 12)
    assert 0.05 < status.share < 0.8
    assert server.curves("mine")[0]["loss"] == 0.5
    end(server)
    assert server.status().state == "done"
    assert server.status().share == 1.0


def test_a_second_run_is_refused_while_one_is_in_progress(server):
    begin(server)
    with pytest.raises(SettingsError, match="A training run is already in progress"):
        server.start("another", {"base_model": "base"})
    end(server)
    server.start("another", {"base_model": "base"})
    wait_for(lambda: not server.is_running())
    assert server.status().name == "another"


def test_of_visitors_who_press_start_at_once_one_gets_the_run(server):
    def press(name):
        try:
            server.start(name, {"base_model": "base"})
        except SettingsError as error:
            return str(error)
        return "started"

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(press, ["a", "b", "c", "d"]))
    assert told.count("started") == 1
    assert sum("already in progress" in each for each in told) == 3
    assert server.status().name == "abcd"[told.index("started")]
    end(server)


def test_a_run_that_is_killed_is_seen_as_ended(server):
    begin(server)
    os.kill(server._state()["pid"], signal.SIGKILL)
    wait_for(lambda: not server.is_running())
    status = server.status()
    assert (status.state, status.step) == ("failed", 6)
    assert "ended early" in status.problem


def test_the_servers_end_does_not_end_the_run(server):
    done = python("-c", STARTS_A_RUN, str(server.runs))
    assert done.returncode == 0, done.stderr
    assert server.is_running()
    end(server)
    assert server.status().state == "done"


def test_a_run_that_fails_before_it_has_a_folder_reports_its_error(server):
    (server.runs / "mine").mkdir(parents=True)
    (server.runs / "mine" / "progress.json").write_text('{"state": "done"}')  # of the one before
    server.start("mine", {"base_model": "refused"}, replace=True)
    wait_for(lambda: not server.is_running())
    status = server.status()
    assert (status.state, status.problem) == ("failed", "the settings are *wrong*.")


def test_a_stopped_run_can_be_resumed(server):
    begin(server)
    server.stop()
    wait_for(lambda: not server.is_running())
    assert server.status().state == "stopped"
    (server.runs / "go").touch()
    server.resume()
    wait_for(lambda: not server.is_running())
    assert server.status().state == "done"


def test_the_time_of_a_resumed_run_counts_on(server):
    begin(server)
    server.stop()
    wait_for(lambda: not server.is_running())
    state = json.loads((server.folder / "state.json").read_text())
    (server.folder / "state.json").write_text(json.dumps(state | {"earlier": 500.0}))
    server.resume()
    assert 500 < server.status().seconds < 600
    end(server)


def test_a_failed_run_reports_its_error(server):
    (server.runs).mkdir()
    (server.runs / "go").touch()
    server.start("mine", {"base_model": "nonsense"})
    wait_for(lambda: not server.is_running())
    status = server.status()
    assert (status.state, status.problem) == ("failed", "nonsense: no such model *here*.")


@pytest.mark.parametrize("name", ["", "../mine", "a b", ".training", "x" * 41])
def test_a_run_name_that_could_be_another_path_is_refused(server, name):
    with pytest.raises(SettingsError, match="is not a valid run name"):
        server.start(name, {})


def test_an_existing_run_is_replaced_only_on_request(server):
    (server.runs / "mine").mkdir(parents=True)
    with pytest.raises(SettingsError, match="A run called mine already exists"):
        server.start("mine", {})


def test_uploaded_rows_are_copied_as_their_session_may_end(server, tmp_path):
    for name in ("first.csv", "second.csv"):
        rows = tmp_path / name
        rows.write_text("text\n")
        server.start("mine", {"base_model": "base", "train_data": str(rows)}, rows, replace=True)
        end(server)
    written = tomllib.loads((server.folder / "run.toml").read_text())
    assert written["train_data"] == str(server.folder / "rows" / "second.csv")
    assert [path.name for path in (server.folder / "rows").iterdir()] == ["second.csv"]
    assert (server.folder / "rows").stat().st_mode & 0o77 == 0  # they may be private


def test_a_runs_folder_that_cannot_be_written_is_reported_on_start(tmp_path):
    (tmp_path / "runs").write_text("in the way of the folder")
    run = Training(tmp_path / "runs")
    assert not run.is_running()
    assert run.status() is None
    with pytest.raises(SettingsError, match="cannot be written"):
        run.start("mine", {})


def test_run_settings_are_a_valid_config_of_finetune(tmp_path):
    settings = {
        "labels": ["a", 'b "c"', "é🙂"],
        "label_column": "x",
        "label_mapping": {"yes, = no": 0, "x": 1, "y\n": 2},
        "epochs": 2.0,
        "learning_rate": 1e-05,
        "freeze": True,
        "batch_size": 8,
    }
    path = tmp_path / "run.toml"
    path.write_text(as_toml(settings), encoding="utf-8")
    assert from_toml(path) == settings


def test_the_log_leaves_out_what_progress_bars_overwrote():
    assert as_shown("a\n 1%\r 2%\r\n 3%\rdone\n") == "a\n 2%\ndone\n"


def test_the_log_has_neither_control_characters_nor_folders_of_the_server(server):
    begin(server)
    end(server)
    assert "Note: split in runs/mine/split" in server.status().log
    assert "\x1b" not in server.status().log


def test_only_the_end_of_a_long_log_is_read(server):
    begin(server)
    end(server)
    (server.folder / "log.txt").write_text("x" * 200_000 + "\nthe end\n")
    assert len(server.status().log) < 100_000
    assert server.status().log.endswith("the end\n")


# the page


def test_the_form_starts_a_run_that_every_visitor_sees_then_scores_with(server):
    page = visit("train")
    assert not page.exception
    page.text_input[0].set_value("first")
    button(page, "Start").click().run()
    assert not page.error
    wait_for(lambda: server.status().steps)
    for visitor in (page.run(), visit("train")):
        assert any("runs/first" in text.value for text in visitor.markdown)
        assert not [each for each in visitor.button if each.label == "Start"]
    settings = from_toml(server.folder / "run.toml")
    assert settings["labels"][0] == "toxic"
    assert settings["sample"] == 331
    assert settings["validation_fraction"] == pytest.approx(66 / 331)
    end(server)
    page = page.run()
    assert "runs/first is ready" in page.success[0].value
    assert button(page, "Start")


def test_the_page_shows_epoch_step_and_time_left_and_folds_the_log(server):
    begin(server)
    page = visit("train")
    (bar,) = page.get("progress")
    assert bar.proto.text == "Epoch 2 of 3 · step 6 of 12 · about 2 min left"
    assert 40 < bar.proto.value < 45  # of the whole run, of which training is the middle
    (expander,) = (each for each in page.expander if each.label == "Log")
    assert not expander.proto.expanded
    end(server)


def test_the_page_says_how_many_rows_each_part_of_the_split_really_has(server):
    begin(server)
    assert not any("Rows:" in text.value for text in visit("train").caption)
    parts = {"train": {"rows": 1119}, "validation": {"rows": 44}, "test": {"rows": 37}}
    write_json(server.runs / "mine" / "run.json", {"settings": {}, "data": parts})
    said = "Rows: 1,119 to train on, 44 to choose thresholds by, 37 to test with."
    assert any(said in text.value for text in visit("train").caption)
    end(server)
    assert any(said in text.value for text in visit("train").caption)


def test_after_a_run_the_upload_and_what_was_chosen_for_it_are_still_there(server):
    page = visit("train")
    page.segmented_control[0].select("Upload labelled comments").run()
    rows = b"text,label\n" + b"good,yes\nbad,no\n" * 20
    page.file_uploader[0].upload("classes.csv", rows, "text/csv").run()
    next(each for each in page.number_input if each.label == "Epochs").set_value(7)
    button(page, "Start").click().run()
    wait_for(lambda: server.status().steps)
    page.run()
    assert not page.segmented_control
    end(server)
    page.run()
    assert any("classes" in text.value for text in page.caption)
    assert next(each for each in page.number_input if each.label == "Epochs").value == 7
    assert page.text_input[0].value == "mine-2"


def test_another_page_can_hand_over_the_rows_to_train_on(server, tmp_path, monkeypatch):
    path = tmp_path / "decisions.csv"
    path.write_text("text,rude\n" + "you there,1\nthank you,0\n" * 10)
    page = visit("train", framed=True)
    with monkeypatch.context() as patch:  # as the script of another page would call it
        patch.setattr("streamlit.session_state", page.session_state)
        form.begin_with(look_into(path, "decisions.csv"))
    page.run()
    assert not page.exception
    button(page, "Start").click().run()
    assert from_toml(server.folder / "run.toml")["labels"] == ["rude"]
    wait_for(lambda: server.status().steps)
    end(server)


def test_stop_on_the_page_stops_the_run(server):
    begin(server)
    page = visit("train")
    button(page, "Stop").click().run()
    wait_for(lambda: not server.is_running())
    page.run()
    assert "was stopped" in page.info[0].value
    assert button(page, "Resume")


def test_the_run_gets_the_settings_of_the_form(server):
    page = visit("train")
    field = {each.label: each for each in page.number_input}
    field["Training rows"].set_value(5)
    field["Batch size"].set_value(16)
    button(page, "Start").click().run()
    assert not page.error
    assert from_toml(server.folder / "run.toml")["batch_size"] == 16
    end(server)


def test_the_error_of_a_failed_run_is_escaped(server):
    server.runs.mkdir()
    (server.runs / "go").touch()
    server.start("mine", {"base_model": "nonsense"})
    wait_for(lambda: not server.is_running())
    assert r"\*here\*" in visit("train").error[0].value


def test_an_invalid_run_name_is_reported_and_nothing_starts(server):
    page = visit("train")
    page.text_input[0].set_value("../etc")
    button(page, "Start").click().run()
    assert "is not a valid run name" in page.error[0].value
    assert not server.is_running()


def test_on_a_public_server_training_is_off_and_the_page_says_how_to_turn_it_on(
    server, monkeypatch
):
    monkeypatch.setenv("TOXICITY_PUBLIC", "1")
    page = visit("train")
    assert r"TOXICITY\_TRAINING\=1" in page.info[0].value
    assert not page.button
    monkeypatch.setenv("TOXICITY_TRAINING", "1")
    assert button(visit("train"), "Start")


def test_one_of_several_classes_can_be_learnt(server):
    page = visit("train")
    page.segmented_control[0].select("Upload labelled comments").run()
    rows = b"text,label\n" + b"good,yes\nbad,no\n" * 20
    page.file_uploader[0].upload("classes.csv", rows, "text/csv").run()
    assert any("Classes" in text.value for text in page.caption)
    button(page, "Start").click().run()
    wait_for(lambda: server.status().steps)
    settings = from_toml(server.folder / "run.toml")
    assert settings["label_mapping"] == {"no": 0, "yes": 1}
    assert settings["label_column"] == "label"
    end(server)


def test_on_a_public_server_only_listed_base_models_can_be_chosen(server, monkeypatch):
    monkeypatch.setenv("TOXICITY_PUBLIC", "1")
    monkeypatch.setenv("TOXICITY_TRAINING", "1")
    base = next(each for each in visit("train").selectbox if each.label == "Base model")
    assert not base.proto.accept_new_options
    monkeypatch.setenv("TOXICITY_HUB_TYPED", "1")
    base = next(each for each in visit("train").selectbox if each.label == "Base model")
    assert base.proto.accept_new_options


def test_the_column_with_the_comments_can_be_chosen_and_a_file_is_read_once(server, monkeypatch):
    read = []
    counted = form.look_at_rows
    monkeypatch.setattr(form, "look_at_rows", lambda *given: read.append(given) or counted(*given))
    page = visit("train")
    page.segmented_control[0].select("Upload labelled comments").run()
    rows = b"text,said,rude\n" + b"a note that is long,hi,0\na note,ho,1\n" * 10
    page.file_uploader[0].upload("mine.csv", rows, "text/csv").run()
    column = next(each for each in page.selectbox if each.label == "Column with the comments")
    assert column.value == "text"
    page.run()
    assert len(read) == 2  # the sample, and this file
    column.select("said").run()
    button(page, "Start").click().run()
    assert not page.error
    assert from_toml(server.folder / "run.toml")["text_column"] == "said"
    wait_for(lambda: server.status().steps)
    end(server)


def test_a_second_upload_replaces_the_first_on_disk(server):
    page = visit("train")
    page.segmented_control[0].select("Upload labelled comments").run()
    for name in ("first.csv", "second.csv"):
        page.file_uploader[0].upload(name, b"text,rude\nhi,0\nho,1\n", "text/csv").run()
    folder = page.session_state["workspace"].folder
    assert [path.name for path in folder.rglob("*.csv")] == ["second.csv"]


# rows


def test_label_columns_are_those_with_zeros_and_ones(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,text,rude,score,empty,weight\n1,hi,1,5,,1\n2,ho,0,1,,0\n3,he,,0,,1\n")
    found = look_at_rows(look_into(path, "a.csv"), "text")
    assert (found.rows, found.label_columns, found.id_column) == (3, ["rude"], "id")


def test_a_column_with_many_different_values_is_refused_as_the_class(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "".join(f"hi,{n}\n" for n in range(30)))
    with pytest.raises(DataError, match="more than 20 different values"):
        classes_of(look_into(path, "a.csv"), "text", "label")


# pushing to the Hub


def test_without_a_token_the_page_says_what_is_missing(server, monkeypatch):
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    begin(server)
    end(server)
    page = visit("train")
    button(page, "Check the Hub token").click().run()
    assert "There is no token for the Hub" in page.warning[0].value
    assert not [each for each in page.button if each.label == "Push to the Hub"]


def test_with_a_token_the_page_shows_its_owner_and_pushes(server, monkeypatch):
    from finetune.publish.hub import HubAccess

    monkeypatch.setattr("finetune.publish.hub.hub_access", lambda: HubAccess("ann", True))
    pushed = []
    monkeypatch.setattr(publish, "push", lambda *given: pushed.append(given) or "done")
    begin(server)
    end(server)
    page = visit("train")
    button(page, "Check the Hub token").click().run()
    assert any("**ann**" in text.value for text in page.markdown)
    button(page, "Push to the Hub").click().run()
    assert pushed == [("runs/mine", "ann/mine", True)]
    assert "Published as" in page.success[-1].value


def test_strangers_cannot_push_with_the_servers_token(server, monkeypatch):
    monkeypatch.setenv("TOXICITY_PUBLIC", "1")
    monkeypatch.setenv("TOXICITY_TRAINING", "1")
    begin(server)
    end(server)
    page = visit("train")
    assert not [each for each in page.button if "token" in each.label or "Push" in each.label]
    assert page.code[0].value.startswith("python -m finetune publish runs/mine --to hub:")


def test_a_failed_push_reports_the_error_of_the_command(monkeypatch):
    with pytest.raises(PublishError, match="not a valid Hub id"):
        publish.push("runs/mine", "no owner", True)
    with pytest.raises(PublishError, match=r"^No model 'runs/nothing-here'"):
        publish.push("runs/nothing-here", "ann/mine", True)


def test_columns_of_shares_are_told_from_those_of_labels_and_of_counts(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,rude,share,votes\na note,1,0.25,3\nanother,0,1.0,0\nthird,,,1\n")
    found = look_at_rows(look_into(path, "a.csv"), "text")
    assert (found.label_columns, found.share_columns) == (["rude"], ["share"])


def test_classes_are_the_same_however_a_number_is_written(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,label\na note,1\nb,1.0\nc,0.0\nd,-1\ne,\n")
    assert classes_of(look_into(path, "a.csv"), "text", "label") == ["0", "1"]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_the_labels_of_a_column_of_lists_are_found(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    if ending == "csv":
        path.write_text('text,labels\na note,"2,14"\nanother,\nthird,2\n')
    else:
        path.write_text(
            '{"text": "a note", "labels": [2, 14]}\n{"text": "another", "labels": []}\n'
            '{"text": "third", "labels": [2]}\n'
        )
    assert listed_labels(look_into(path, path.name), "text", "labels") == ["2", "14"]


def test_labels_listed_in_one_column_can_be_learnt(server):
    page = visit("train")
    page.segmented_control[0].select("Upload labelled comments").run()
    rows = b"text,labels\n" + b"good,joy\nbad,anger;fear\n" * 20
    page.file_uploader[0].upload("lists.csv", rows, "text/csv").run()
    page.radio[0].set_value("several labels, in one column").run()
    assert any("anger, fear, joy" in text.value for text in page.caption)
    button(page, "Start").click().run()
    wait_for(lambda: server.status().steps)
    settings = from_toml(server.folder / "run.toml")
    assert settings["label_list_column"] == "labels"
    assert settings["labels"] == ["anger", "fear", "joy"]
    assert "label_column" not in settings
    end(server)
