"""Which folder a model's name means: installed, in a checkout, in the working folder, listed."""

import os

import pytest

from comment_toxicity import ModelError, load_classifier
from comment_toxicity.fetch import find
from tests.running import ROOT


def add_models(root, *folders):
    for folder in folders:
        (root / folder).mkdir(parents=True)
        (root / folder / "config.json").write_text("{}")


def test_models_are_found_in_the_working_folder(tmp_path, monkeypatch):
    add_models(tmp_path, "models/mine", "runs/ours/model")
    monkeypatch.chdir(tmp_path)
    assert {"mine", "runs/ours"} <= set(find.available_models())
    assert find.find_model("mine") == tmp_path / "models/mine"
    assert find.find_model("runs/ours").samefile(tmp_path / "runs/ours/model")


def test_models_are_found_in_the_folders_that_the_environment_lists(tmp_path, monkeypatch):
    add_models(tmp_path, "a/first", "b/second")
    listed = os.pathsep.join(["", str(tmp_path / "a"), str(tmp_path / "b")])
    monkeypatch.setenv(find.MODELS_VARIABLE, listed)
    assert {"first", "second"} <= set(find.available_models())
    assert find.find_model("second") == tmp_path / "b/second"


def test_a_listed_folder_in_an_unknown_users_home_is_named(monkeypatch):
    monkeypatch.setenv(find.MODELS_VARIABLE, "~nobody-of-this-name/models")
    for look in (find.available_models, lambda: find.find_model("toxic-minilm")):
        with pytest.raises(ModelError, match=find.MODELS_VARIABLE):
            look()


def test_a_checkout_finds_its_models_whatever_the_working_folder_holds(tmp_path, monkeypatch):
    add_models(tmp_path, "models/toxic-minilm")
    monkeypatch.chdir(tmp_path)
    assert find.find_model("toxic-minilm") == ROOT / "models/toxic-minilm"
    assert find.find_model("sentiment-minilm") == ROOT / "models/sentiment-minilm"


def test_an_installed_package_finds_the_model_inside_it_and_none_beside_it(tmp_path, monkeypatch):
    add_models(tmp_path, "site/comment_toxicity/models/toxic-minilm", "site/models/beside")
    monkeypatch.setattr(find, "files", lambda name: tmp_path / "site" / name)
    monkeypatch.chdir(tmp_path)
    assert find.available_models() == ["toxic-minilm"]
    assert find.find_model("toxic-minilm").parent.parent == tmp_path / "site/comment_toxicity"


def test_the_error_for_an_unknown_model_lists_the_known_ones(tmp_path, monkeypatch):
    for folder in ("models/zebra", "models/toxic-minilm", "runs/mine/model", "runs/failed"):
        (tmp_path / folder).mkdir(parents=True)
        if folder != "runs/failed":
            (tmp_path / folder / "config.json").write_text("{}")
    monkeypatch.setattr(find, "project_folders", lambda: [tmp_path])
    assert find.available_models() == ["toxic-minilm", "runs/mine", "zebra"]
    assert find.find_model("runs/mine") == tmp_path / "runs/mine/model"
    with pytest.raises(ModelError, match=r"There are: toxic-minilm, runs/mine, zebra"):
        find.find_model("toxic-maxilm")


@pytest.mark.parametrize("name", ["~nobody-here/model", "x" * 300])
def test_an_impossible_path_ends_in_one_clear_error(name):
    with pytest.raises(ModelError, match=r"^No model '[~x]"):
        load_classifier(name)


@pytest.mark.parametrize("name", ["someone/something", "someone/something@v1.0"])
def test_an_unreachable_hub_model_ends_in_one_clear_error(name):
    with pytest.raises(ModelError, match=f"^{name}: the Hub cannot be reached"):
        load_classifier(name)


def test_no_module_derives_a_path_from_its_own_file():
    sources = (ROOT / "comment_toxicity").rglob("*.py")
    assert [path for path in sources if "__file__" in path.read_text(encoding="utf-8")] == []
