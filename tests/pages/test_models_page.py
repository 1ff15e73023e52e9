"""The Models page: what can be picked, and the operating point of a label."""

import json
import shutil
import time

import numpy as np
import pytest

from comment_toxicity import load_classifier
from comment_toxicity.decision import Decision, LabelDecision
from tests.pages.standins import Choice, button, html, visit
from ui.files.labelled import Labelled
from ui.models.facts import facts_of
from ui.models.operating_point import decision_file, with_thresholds

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


def finished(page):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        page.run()
        if all(job.progress.over for job in page.session_state["measured"]):
            return page.run()
        time.sleep(0.05)
    raise AssertionError("not measured in 30 s")


def hand_in(page, content):
    choice = next(each for each in page.segmented_control if each.label == "Labelled comments")
    choice.select("Upload labelled comments").run()
    page.file_uploader[0].upload("mine.csv", content, "text/csv").run()


def test_all_models_are_listed_and_the_chosen_one_is_described(with_tiny):
    page = visit("models")
    assert not page.exception
    for name in ("toxic-minilm", "other", "cardiffnlp/twitter-roberta-base-sentiment"):
        assert name in html(page)
    assert any("Ships with this project" in text.value for text in page.markdown)


def test_a_hub_model_that_is_not_downloaded_is_described(with_tiny):
    page = visit("models")
    page.selectbox(key="model").select("cardiffnlp/twitter-roberta-base-sentiment").run()
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
    page = visit("models")
    page.selectbox(key="model").select("other").run()
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
    page = visit("models")
    page.selectbox(key="model").select("other").run()
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
        page = visit("models")
        assert not page.exception
        assert page.info


def test_a_metric_that_is_nan_is_shown_as_a_dash(with_tiny):
    metrics = '{"test": {"rows": 3, "labels": {}, "means": {"roc_auc": NaN}}}'
    (with_tiny / "models" / "toxic-minilm" / "metrics.json").write_text(metrics)
    page = visit("models")
    assert page.metric[0].value == "–"
    assert "nan" not in html(page)


def test_the_latency_of_a_model_is_measured(with_tiny):
    page = visit("models")
    button(page, "Load it and measure its speed").click().run()
    assert page.metric[0].value.endswith(" ms")


def test_two_models_are_measured_on_the_same_file_side_by_side(with_tiny):
    page = visit("models")
    page.selectbox(key="second measured model").select("other").run()
    hand_in(page, COMMENTS)
    button(page, "Measure").click().run()
    page = finished(page)
    assert not page.exception
    assert "Results on mine\\.csv" in [header.value for header in page.subheader]
    assert '<th scope="col" class="number" dir="auto">difference</th>' in html(page)
    assert "+0.000" in html(page)


def test_a_file_is_measured_once_however_often_the_page_runs(with_tiny, monkeypatch):
    page = visit("models")
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


def test_a_file_without_a_label_of_the_model_is_refused(with_tiny):
    page = visit("models")
    hand_in(page, b"text,rude\nhi,1\n")
    button(page, "Measure").click().run()
    assert page.error[0].value.startswith(r"mine\.csv\: has no column for a label of toxic\-minilm")


def test_the_error_of_a_second_model_that_cannot_be_loaded_stays_on_the_page(with_tiny):
    page = visit("models")
    page.selectbox(key="second measured model").select("cardiffnlp/twitter-roberta-base-sentiment")
    hand_in(page, COMMENTS)
    button(page, "Measure").click().run()
    assert "the Hub cannot be reached" in page.error[0].value
    assert "measured" not in page.session_state


def test_a_threshold_chosen_by_recall_holds_on_every_page_and_can_be_reset(with_tiny):
    page = visit("models", framed=True)
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
    page.switch_page("../pages/score.py").run()
    page.text_area(key="comment").set_value("you fool")
    page.button[0].click().run()
    assert f"its threshold of {chosen:.0%}".replace("%", " %") in html(page)
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
    assert ">owner/name</th>" in html(page)
    assert any("owner/name" in option for option in page.selectbox(key="model").options)


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
    page = visit("models")
    assert not page.exception
    assert "kind (carried by 1 of 3)" in page.warning[0].value.replace("\\", "")
    assert any("Confusion matrix" in text.value for text in page.markdown)
    assert "measured on few rows" in html(page)
    assert "to 1.000" in html(page)
