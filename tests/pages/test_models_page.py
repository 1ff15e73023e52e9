"""The Models page: what can be picked, and the operating point of a label."""

import json
import shutil
import time
import tomllib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from comment_toxicity import load_classifier
from comment_toxicity.decision import Decision, LabelDecision
from comment_toxicity.errors import SettingsError
from tests.pages.standins import Choice, button, html, visit
from ui.files.labelled import Labelled
from ui.models.facts import ModelFacts, facts_of
from ui.models.operating_point import decision_file, with_thresholds
from ui.models.verdict import good_and_bad
from ui.picker import SHIPPED, origin
from ui.train.run import Training

COMMENTS = (
    b"comment_text,toxic,insult\nyou stupid fool,1,1\nhello there,0,0\ngood page,0,0\nidiot,1,1\n"
)


@pytest.fixture
def with_tiny(monkeypatch, tmp_path, exported):
    """A root whose models/ holds the embedded name and another; both are the tiny model."""
    for name in ("toxic-minilm", "other"):
        shutil.copytree(exported, tmp_path / "models" / name)
    monkeypatch.setattr("comment_toxicity.fetch.find.project_folders", lambda: [tmp_path])
    return tmp_path


def finished(page, key="measured"):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        page.run()
        if all(job.progress.over for job in page.session_state[key]):
            return page.run()
        time.sleep(0.05)
    raise AssertionError("not measured in 30 s")


def hand_in(page, content):
    choice = next(each for each in page.segmented_control if each.label == "Labelled comments")
    choice.select("Upload labelled comments").run()
    page.file_uploader[0].upload("mine.csv", content, "text/csv").run()


OWN = "toxic-minilm"


def visit_score(page):
    """The choice of models on Score."""
    return page.switch_page("../pages/score.py").run().selectbox(key="model")


def test_every_model_has_a_card(with_tiny):
    page = visit("models")
    assert not page.exception
    for name in (OWN, "other", "cardiffnlp/twitter-roberta-base-sentiment"):
        assert f">{name}</h3>" in html(page)
    assert [header.value for header in page.header] == [
        "Shipped", "Yours", "On the Hugging Face Hub"
    ]  # fmt: skip


def test_every_shipped_model_is_called_shipped_where_it_is_chosen():
    assert {origin(name) for name in SHIPPED} == {"shipped, works offline"}
    assert origin("mine") == "in models/"


def test_the_page_of_a_model_describes_it(with_tiny):
    page = visit("models", model=OWN)
    assert page.title[0].value == r"toxic\-minilm"
    assert any("Ships with this project" in text.value for text in page.markdown)


@pytest.mark.parametrize("name", ["nothing", "../../etc", "<b>x</b>", ""])
def test_an_address_of_no_model_shows_the_shelf_and_says_so(with_tiny, name):
    page = visit("models", model=name)
    assert "There is no model called" in page.error[0].value
    assert page.title[0].value == "Models"


def test_to_look_at_a_model_does_not_choose_it_and_use_does(with_tiny):
    page = visit("models", model="other")
    assert "other" not in visit_score(page).value
    page = visit("models", model="other")
    button(page, "Use this model").click().run()
    assert page.session_state["model"] == "other"
    assert button(page, "In use").disabled
    page.switch_page("../pages/score.py").run()
    assert page.session_state["model"] == "other"


def test_a_hub_model_that_is_not_downloaded_is_described(with_tiny):
    page = visit("models", model="cardiffnlp/twitter-roberta-base-sentiment")
    assert any("58 million tweets" in text.value for text in page.markdown)
    button(page, "Download it").click().run()
    assert "the Hub cannot be reached" in page.error[0].value


def test_a_card_is_shown_without_images_and_front_matter(with_tiny):
    card = "---\ntitle: x\n---\n# Big\n![spy](https://example.org/spy.png) costs $5\n"
    (with_tiny / "models" / "other" / "README.md").write_text(card)
    assert facts_of("other").card == "### Big\nspy costs \\$5\n"


@pytest.mark.parametrize(
    "image",
    ["![a [b] c](https://e.org/x.png)", "![spy]\n\n[spy]: https://e.org/x.png", "!![](u)[x](y)"],
)
def test_no_form_of_image_in_a_card_is_left(with_tiny, image):
    (with_tiny / "models" / "other" / "README.md").write_text(image)
    assert "![" not in facts_of("other").card


def test_code_in_a_card_stays_as_it_is(with_tiny):
    card = "Costs $5.\n\n```bash\n# install\necho $HOME\n```\n\nRun `echo $HOME` for $6.\n"
    (with_tiny / "models" / "other" / "README.md").write_text(card)
    assert facts_of("other").card == card.replace("$5", "\\$5").replace("$6", "\\$6")


def test_a_hostile_card_is_read_within_seconds(with_tiny):
    (with_tiny / "models" / "other" / "README.md").write_text("![" * 1_000_000 + "`" * 1_000_000)
    began = time.thread_time()
    assert len(facts_of("other").card) < 300_000
    assert time.thread_time() - began < 2


def test_a_local_model_that_cannot_be_read_shows_the_reason(with_tiny):
    (with_tiny / "models" / "other" / "decision.json").write_text("{}")
    page = visit("models", model="other")
    assert "not a decision file" in page.error[0].value.replace("\\", "")
    assert not page.info


def test_the_sizes_of_several_weight_files_are_added_up(with_tiny):
    folder = with_tiny / "models" / "other"
    for name in ("model.onnx", "decision.json"):
        (folder / name).unlink()
    for name in ("a.safetensors", "b.safetensors"):
        (folder / name).write_bytes(b"x" * 500_000)
    index = {"weight_map": {"one": "a.safetensors", "two": "b.safetensors", "3": "b.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert facts_of("other").megabytes == pytest.approx(1, abs=0.001)


def test_a_model_in_the_folder_is_described_by_the_first_paragraph_of_its_card(with_tiny):
    (with_tiny / "models" / "other" / "README.md").write_text("# Other\n\nJudges `tone`.\n\nMore.")
    page = visit("models", model="other")
    assert any(text.value == r"Judges tone\." for text in page.markdown)


def test_a_damaged_metrics_json_does_not_break_the_page(with_tiny):
    for content in (
        "not json",
        "[" * 100_000,
        "[]",
        '{"test": {"rows": 3}}',
        '{"test": {"rows": 3, "means": [1]}}',
        '{"test": {"rows": 3, "means": {"roc_auc": "good", "f1": "bad"}, "labels": {}}}',
    ):
        (with_tiny / "models" / "toxic-minilm" / "metrics.json").write_text(content)
        page = visit("models", model=OWN, tab="Metrics")
        assert not page.exception
        assert page.info


def test_a_metric_that_is_nan_is_shown_as_a_dash(with_tiny):
    metrics = '{"test": {"rows": 3, "labels": {}, "means": {"roc_auc": NaN}}}'
    (with_tiny / "models" / "toxic-minilm" / "metrics.json").write_text(metrics)
    page = visit("models", model=OWN, tab="Metrics")
    assert page.metric[0].value == "–"
    assert "nan" not in html(page)


def test_the_latency_of_a_model_is_measured(with_tiny):
    page = visit("models", model=OWN)
    button(page, "Load it and measure its speed").click().run()
    assert page.metric[0].value.endswith(" ms")


def test_two_models_are_measured_on_the_same_file_side_by_side(with_tiny):
    page = visit("models", model=OWN, tab="Compare")
    page.selectbox(key="second measured model").select("other").run()
    hand_in(page, COMMENTS)
    button(page, "Measure").click().run()
    page = finished(page, "compared")
    assert not page.exception
    assert "Results on mine\\.csv" in [header.value for header in page.subheader]
    assert '<th scope="col" class="number" dir="auto">difference</th>' in html(page)
    assert "+0.000" in html(page)
    assert "false alarms, other" in html(page)
    assert any("Of 4 rows, right in every label: " in each.value for each in page.markdown)


def test_rows_without_a_label_are_compared_by_false_alarms(with_tiny):
    page = visit("models", model="other", tab="Compare")
    page.selectbox(key="second measured model").select(OWN).run()
    hand_in(page, b"comment_text,toxic\nhello there,0\ngood page,0\n")
    button(page, "Measure").click().run()
    page = finished(page, "compared")
    assert not page.exception
    assert "false alarms, other" in html(page)
    assert any("no ROC-AUC and no F1" in each.value for each in page.caption)
    button(page, "Use other").click().run()
    assert page.session_state["model"] == "other"


SPAM = b"message,category\n" + b"you stupid fool,abuse\nhello there,ham\nwin a prize,spam\n" * 4


def test_a_file_with_labels_of_its_own_is_measured_once_they_are_named(with_tiny):
    page = visit("models", model=OWN)
    hand_in(page, SPAM)
    assert button(page, "Measure").disabled  # “abuse” is no label of this model
    value = next(each for each in page.selectbox if "abuse" in each.label)
    value.select("insult").run()
    button(page, "Measure").click().run()
    page = finished(page)
    assert not page.exception
    assert ">insult</th>" in html(page)
    assert ">12</td>" not in html(page)
    assert any("On 12 rows" in text.value for text in page.caption)


def test_a_strangers_label_is_no_markup_in_the_form(tmp_path):
    (tmp_path / "rows.csv").write_bytes(COMMENTS)

    def form(path):
        from ui.files.upload import look_into
        from ui.models.truth import ask_for_truth

        label = "![p](http://a.example/p.png)"
        ask_for_truth(look_into(path, "rows"), "comment_text", "owner/name", [label], False)

    page = AppTest.from_function(form, kwargs={"path": tmp_path / "rows.csv"}).run(timeout=60)
    assert not page.exception
    assert page.selectbox[0].label.startswith(r"\!\[p\]\(http\:")


def test_models_are_compared_by_what_the_file_calls_their_labels(with_tiny):
    page = visit("models", model=OWN, tab="Compare")
    page.selectbox(key="second measured model").select("other").run()
    hand_in(page, SPAM)
    values = [each for each in page.selectbox if "abuse" in each.label]
    for value, label in zip(values, ("insult", "toxic"), strict=True):
        value.select(label)
    page.run()
    button(page, "Measure").click().run()
    page = finished(page, "compared")
    assert not page.exception
    assert '<th scope="col" dir="auto">label in the file</th>' in html(page)
    assert ">abuse</td>" in html(page)


def test_a_file_is_measured_once_however_often_the_page_runs(with_tiny, monkeypatch):
    page = visit("models", model=OWN)
    hand_in(page, COMMENTS)
    button(page, "Measure").click().run()
    page = finished(page)
    told = "Results on mine\\.csv"
    assert told in [header.value for header in page.subheader]

    def again(*arguments):
        raise AssertionError("measured again")

    for name in ("report", "curve_points", "read"):
        monkeypatch.setattr(Labelled, name, again)
    page.run()
    assert not page.exception
    assert told in [header.value for header in page.subheader]


def test_a_column_of_another_name_is_measured_once_it_is_chosen(with_tiny):
    page = visit("models", model=OWN)
    hand_in(page, b"text,rude\n" + b"you stupid fool,1\nhello there,0\n" * 3)
    assert button(page, "Measure").disabled
    next(each for each in page.selectbox if each.label == "toxic").select("rude").run()
    button(page, "Measure").click().run()
    page = finished(page)
    assert not page.exception
    assert ">toxic</th>" in html(page)


def test_a_second_model_that_cannot_be_downloaded_says_so(with_tiny):
    page = visit("models", model=OWN, tab="Compare")
    page.selectbox(key="second measured model").select(
        "cardiffnlp/twitter-roberta-base-sentiment"
    ).run()
    button(page, "Download it").click().run()
    assert "the Hub cannot be reached" in page.error[0].value
    assert "compared" not in page.session_state


def test_what_is_good_and_bad_comes_first_in_plain_words(with_tiny):
    label = {"rows": 900, "positives": 400, "recall": 0.91, "precision": 0.8, "roc_auc": 0.9}
    weak = {**label, "recall": 0.3}
    report = {"rows": 900, "means": {}, "labels": {"toxic": label, "threat": weak}}
    content = json.dumps({"test": report})
    (with_tiny / "models" / "toxic-minilm" / "metrics.json").write_text(content)
    page = visit("models", model=OWN)
    assert [header.value for header in page.header][:2] == ["Good at", "Not good at"]
    good, bad = (text.value for text in page.markdown if text.value.startswith("- "))
    assert "Toxic\\: finds 91 of 100, and 80 of 100 of its flags are right" in good
    assert "Threat\\: finds 30 of 100" in bad
    assert "Toxic" not in bad


def test_the_best_and_the_worst_languages_of_a_model_are_named():
    measured = {"de": 0.91, "en": 0.95, "fr": 0.83, "ja": 0.65, "nl": None}
    languages = {code: {"roc_auc": value} for code, value in measured.items()}
    report = {"label": "toxic", "languages": languages}
    facts = ModelFacts(SimpleNamespace(path=Path(), labels=["ham"]), {"languages": report}, "", "")
    good, bad = good_and_bad("many", facts)
    assert "Toxic in English and German: ROC-AUC 0.91 to 0.95." in good
    assert "Toxic in Japanese: ROC-AUC 0.65." in bad


def test_a_model_of_few_rows_is_good_at_nothing_that_is_certain(with_tiny):
    label = {"rows": 9, "positives": 4, "recall": 1.0, "precision": 1.0, "roc_auc": 1.0}
    report = {"rows": 9, "means": {}, "labels": {"toxic": label}}
    (with_tiny / "models" / "toxic-minilm" / "metrics.json").write_text(
        json.dumps({"test": report})
    )
    page = visit("models", model=OWN)
    assert any("Nothing that is certain" in text.value for text in page.markdown)
    assert not any("100 of 100" in text.value for text in page.markdown)


def test_code_to_use_a_model_names_it(with_tiny):
    page = visit("models", model="other", tab="Use from code")
    code = "\n".join(each.value for each in page.code)
    assert 'load_classifier("other")' in code
    assert "serve --model other --port" in code


def test_a_threshold_chosen_by_recall_holds_on_every_page_and_can_be_reset(with_tiny):
    page = visit("models", model=OWN)
    hand_in(page, COMMENTS)
    button(page, "Measure").click().run()
    page = finished(page)
    choice = next(each for each in page.segmented_control if each.label == "Choose by")
    choice.select("recall").run()
    use = next(each for each in page.button if each.label.startswith("Use "))
    use.click().run()
    chosen = page.session_state["thresholds"]["toxic-minilm"]["toxic"]
    assert 0 < chosen < 1
    assert any("In use for this session" in text.value for text in page.success)
    [policy] = tomllib.loads(page.code[-1].value)["policies"].values()
    assert policy == {"thresholds": {"toxic": pytest.approx(chosen)}}
    page.switch_page("../pages/score.py").run()
    page.text_area(key="comment").set_value("you fool")
    page.button[0].click().run()
    assert f"flagged from {chosen:.0%}".replace("%", " %") in html(page)
    page.switch_page("../pages/models.py").run()
    button(page, "Reset to the model's own thresholds").click().run()
    assert page.session_state["thresholds"]["toxic-minilm"] == {}


def test_a_model_loads_with_the_downloaded_decision_json(with_tiny):
    folder = with_tiny / "models" / "other"
    model = load_classifier(folder)
    truth = np.tile([0.0, 1.0], 50).astype(np.float32)[:, None].repeat(6, 1)
    scores = np.linspace(0, 1, 100, dtype=np.float32)[:, None].repeat(6, 1)
    labelled = Labelled(model.labels, False, truth, scores, None)
    decision = with_thresholds(model.decision, labelled, {"threat": 0.77})
    (folder / "decision.json").write_text(decision_file(decision), encoding="utf-8")
    changed = load_classifier(folder)
    assert changed.thresholds == {**model.thresholds, "threat": 0.77}
    assert "by hand: threat" in changed.decision.criterion
    assert changed.decision.labels["threat"].positives == 50
    assert Decision.load(folder).labels["toxic"] == model.decision.labels["toxic"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("best-f1", "best-f1; by hand: threat"),
        ("best-f1; by hand: toxic, threat", "best-f1; by hand: toxic, threat"),
        ("by hand: toxic", "by hand: toxic, threat"),
        (None, "by hand: threat"),
    ],
)
def test_a_decision_names_each_label_that_was_chosen_by_hand_once(before, after):
    labels = {name: LabelDecision() for name in ("toxic", "threat")}
    decision = Decision("sigmoid", labels, criterion=before)
    labelled = Labelled([], False, np.zeros((0, 0)), np.zeros((0, 0)), None)
    assert with_thresholds(decision, labelled, {"threat": 0.7}).criterion == after


def test_the_page_of_a_single_label_model_has_no_error(serve):
    page = serve("models", a=Choice("a"))
    assert not page.exception


# models typed in


def test_without_a_network_adding_a_hub_model_says_so(with_tiny):
    page = visit("models")
    page.text_input[0].set_value("some/model")
    button(page, "Check and add").click().run()
    assert "connect to the network" in page.error[0].value


@pytest.mark.parametrize("typed", ["../../etc", "<b>x</b>", "a b/c", "noowner", ""])
def test_an_invalid_hub_id_is_refused(with_tiny, typed):
    page = visit("models")
    page.text_input[0].set_value(typed)
    button(page, "Check and add").click().run()
    assert "not a valid Hub id" in page.error[0].value
    assert "typed models" not in page.session_state


def test_a_typed_hub_model_is_added_to_the_picker(with_tiny, hub):
    hub()
    page = visit("models")
    page.text_input[0].set_value("owner/name")
    button(page, "Check and add").click().run()
    assert ">owner/name</h3>" in html(page)
    assert any("owner/name" in option for option in visit_score(page).options)


def test_hub_models_that_the_operator_set_are_in_the_picker(with_tiny, monkeypatch):
    monkeypatch.setenv("TOXICITY_HUB_MODELS", "owner/one, owner/two@v1")
    options = visit("score").selectbox(key="model").options
    assert options[-2:] == ["owner/one · from the Hub", "owner/two@v1 · from the Hub"]


def test_on_a_public_server_no_hub_id_can_be_typed(with_tiny, monkeypatch):
    monkeypatch.setenv("TOXICITY_PUBLIC", "1")
    page = visit("models")
    assert not page.text_input
    assert any("TOXICITY_HUB_TYPED" in text.value.replace("\\", "") for text in page.markdown)


def test_the_facts_are_read_without_the_weights(with_tiny, monkeypatch):
    monkeypatch.setattr(
        "comment_toxicity.classifier.load_classifier", lambda name: pytest.fail("loaded")
    )
    facts = facts_of("other")
    assert len(facts.folder.labels) == 6
    assert facts.megabytes > 0
    assert json.loads(decision_file(facts.folder.decision))["rows"] == 100


def test_metrics_of_few_rows_have_a_warning_and_a_matrix_of_classes_is_drawn(with_tiny):
    from finetune.measure.evaluate import evaluate_classes

    report = evaluate_classes(np.eye(3), np.eye(3)[[0, 2, 2]], ["kind", "dull", "rude"])
    content = json.dumps({"test": report.to_dict()})
    (with_tiny / "models" / "toxic-minilm" / "metrics.json").write_text(content)
    page = visit("models", model=OWN, tab="Metrics")
    assert not page.exception
    assert "kind (carried by 1 of 3)" in page.warning[0].value.replace("\\", "")
    assert any("Confusion matrix" in text.value for text in page.markdown)
    assert "to 1.000" in html(page)
    card = html(visit("models"))
    assert "accuracy 0.667 (95 %: 0.208 to 0.939), of too few rows to rely on" in card


@pytest.mark.parametrize(
    ("report", "shown"),
    [
        ({"means": {"roc_auc": 0.9}, "roc_auc_error": 0.01}, "0.900 (95 %: 0.880 to 0.920)"),
        ({"means": {"roc_auc": 0.9}, "roc_auc_error": None}, "mean ROC-AUC 0.900<"),
        ({"means": {"roc_auc": 0.9}, "intervals": {"roc_auc": [0.5, 1.0]}}, "0.500 to 1.000"),
        ({"accuracy": 0.5, "rows": 100, "means": {}}, "0.500 (95 %: 0.404 to 0.596)"),
        ({"accuracy": 0.5, "rows": 100, "means": {}, "weighted": True}, "accuracy 0.500<"),
    ],
)
def test_a_card_has_the_interval_that_the_report_knows(with_tiny, report, shown):
    content = json.dumps({"test": {"rows": 100, "labels": {}, **report}})
    (with_tiny / "models" / "toxic-minilm" / "metrics.json").write_text(content)
    assert shown in html(visit("models"))


def test_metrics_by_language_mark_those_without_training_rows():
    page = visit("models", model="toxic-multilingual", tab="Metrics")
    assert "toxic by language" in [heading.value for heading in page.subheader]
    assert "German</th>" in html(page)
    assert "Japanese *</th>" in html(page)
    assert "comes from other languages" in page.caption[-2].value


@pytest.mark.parametrize(
    ("front", "shown"),
    [
        ("language: en", "English"),
        ("language:\n- de\n- xx", "German, xx"),
        ("language: [<b>]", "not stated"),
        ("title: x", "not stated"),
    ],
)
def test_the_languages_are_those_of_the_card(with_tiny, front, shown):
    (with_tiny / "models" / "other" / "README.md").write_text(f"---\n{front}\n---\n# x\n")
    assert facts_of("other").languages == shown


# runs on the shelf


@pytest.fixture
def with_runs(with_tiny, monkeypatch, exported):
    """Two runs beside the models; both are the tiny model."""
    for name in ("mine", "theirs"):
        shutil.copytree(exported, with_tiny / "runs" / name / "model")
    monkeypatch.setattr(Training.__init__, "__defaults__", (with_tiny / "runs",))
    return with_tiny / "runs"


def names_of(runs):
    return sorted(path.name for path in runs.iterdir() if not path.name.startswith("."))


def test_a_run_is_renamed_with_its_card_and_stays_in_use(with_runs):
    (with_runs / "mine" / "model" / "README.md").write_text("# mine")
    page = visit("models")
    page.button(key="Use runs/mine").click().run()
    page.text_input(key="new name of runs/mine").set_value("spam-2")
    page.button(key="rename runs/mine").click().run()
    assert names_of(with_runs) == ["spam-2", "theirs"]
    assert ">runs/spam-2</h3>" in html(page)
    assert page.session_state["model"] == "runs/spam-2"
    assert "# spam-2" in (with_runs / "spam-2" / "model" / "README.md").read_text()


@pytest.mark.parametrize("new", ["theirs", "../mine", ""])
def test_a_run_keeps_its_name_where_the_new_one_will_not_do(with_runs, new):
    page = visit("models")
    page.text_input(key="new name of runs/mine").set_value(new)
    page.button(key="rename runs/mine").click().run()
    assert page.error
    assert names_of(with_runs) == ["mine", "theirs"]


def test_a_deleted_run_is_gone_and_no_longer_in_use(with_runs):
    page = visit("models")
    page.button(key="Use runs/mine").click().run()
    assert any("for good" in text.value for text in page.markdown)
    page.button(key="delete runs/mine").click().run()
    assert names_of(with_runs) == ["theirs"]
    assert page.session_state["model"] == "toxic-minilm"


def test_the_run_in_progress_is_neither_renamed_nor_deleted(with_runs, monkeypatch):
    monkeypatch.setattr(Training, "is_running", lambda training: True)
    monkeypatch.setattr(Training, "_state", lambda training: {"name": "mine"})
    with pytest.raises(SettingsError, match="stop it first"):
        Training().delete("mine")
    Training().delete("theirs")
    assert names_of(with_runs) == ["mine"]


@pytest.mark.parametrize("name", ["..", "", "a/b", ".training"])
def test_no_other_folder_is_deleted_as_a_run(with_runs, name):
    with pytest.raises(SettingsError, match="not a valid run name"):
        Training().delete(name)


def test_strangers_can_neither_rename_nor_delete(with_runs, monkeypatch):
    monkeypatch.setenv("TOXICITY_PUBLIC", "1")
    page = visit("models")
    assert ">runs/mine</h3>" in html(page)
    assert not [each for each in page.button if each.label in ("Rename", "Delete for good")]
