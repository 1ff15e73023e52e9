"""Several models behind one address: each text gets the scores of the one that reads it."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from comment_toxicity import load_classifier
from comment_toxicity.decision import Decision
from comment_toxicity.disk import shortest_float
from comment_toxicity.errors import SettingsError
from comment_toxicity.service.routes import create_app
from comment_toxicity.service.service import Service
from comment_toxicity.service.settings import ServiceSettings
from tests.service.conftest import KIND, Running, listening

GERMAN = "Du bist ein Idiot, und niemand will dich hier haben."
FRENCH = "Merci beaucoup pour votre aide, c'est vraiment gentil."
LONG = f"{GERMAN} Das ist mir ganz egal. " * 200


@pytest.fixture(scope="module")
def models(tiny_base: Path, tmp_path_factory):
    """Two tiny models: one of English, one of English and German, calibrated by language."""
    from tests.exported import export_calibrated

    folder = tmp_path_factory.mktemp("models")
    export_calibrated(tiny_base, folder / "many", ["onnx"])
    shutil.copytree(folder / "many", folder / "english")
    for name, languages in (("english", " en"), ("many", "\n- en\n- de")):
        (folder / name / "README.md").write_text(f"---\nlanguage:{languages}\n---\n")
    decision = Decision.load(folder / "many")
    german = {
        label: replace(fitted, slope=2.0, threshold=0.0 if label == "threat" else 1.0)
        for label, fitted in decision.labels.items()
    }
    replace(decision, languages={"de": german}).save(folder / "many")
    return [load_classifier(folder / name) for name in ("english", "many")]


@pytest.fixture(scope="module")
def service(models):
    named = {model.name: model for model in models}
    service = Service(ServiceSettings(model=",".join(named)), load=named.__getitem__)
    with listening(create_app(service)) as url:
        yield Running(url, service)


def written(row):
    return list(map(shortest_float, row))


def test_each_text_is_scored_by_the_model_of_its_language(service, models):
    english, many = models
    body = service.post("/v1/score", {"texts": [GERMAN, KIND, "", LONG]}).json
    german, kind, blank, long = body["results"]
    assert (german["model"], german["language"]) == (many.name, "de")
    assert list(german["scores"].values()) == written(many.score([GERMAN], ["de"])[0])
    assert german["flags"] == ["threat"]
    assert (kind["model"], kind["language"]) == (english.name, "en")
    assert list(kind["scores"].values()) == written(english.score([KIND])[0])
    assert "error" in blank
    assert list(long["scores"].values()) == written(many.score([LONG], ["de"])[0])
    assert [model["languages"] for model in body["models"]] == [["en"], ["de"]]


def test_the_requested_language_decides(service, models):
    [_, many] = models
    body = service.analyze(KIND, languages=["de"]).json
    value = body["attributeScores"]["TOXICITY"]["summaryScore"]["value"]
    assert value == shortest_float(many.score([KIND], ["de"])[0][0])
    assert (body["languages"], body["detectedLanguages"]) == (["de"], ["en"])


def test_the_detected_language_decides_where_none_is_requested(service, models):
    [_, many] = models
    body = service.analyze(GERMAN, spanAnnotations=True).json
    scores = body["attributeScores"]["TOXICITY"]
    assert scores["summaryScore"]["value"] == shortest_float(many.score([GERMAN], ["de"])[0][0])
    assert (body["languages"], body["detectedLanguages"]) == (["de"], ["de"])
    assert service.get("/v1/model").json["languages"] == ["en", "de"]


def test_a_language_that_no_model_reads_is_refused(service):
    reply = service.analyze(FRENCH)
    assert reply.error[1] == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"
    assert service.analyze(KIND, languages=["fr"]).status == 400


def test_moderations_say_which_models_answered(service, models):
    [english, many] = models
    body = service.post("/v1/moderations", {"input": [GERMAN, KIND]}).json
    assert body["model"] == f"{many.name},{english.name}"
    assert len(body["results"]) == 2


def test_words_of_another_language_are_explained_by_the_model_of_the_whole(service):
    body = service.post("/v1/score", {"texts": [GERMAN], "explain": True}).json
    assert list(body["results"][0]["explanations"]) == ["threat"]


def test_one_model_calibrated_by_language_detects_it(models):
    [_, many] = models
    service = Service(ServiceSettings(), load=lambda name: many)
    with listening(create_app(service)) as url:
        [german, kind] = (
            Running(url, service).post("/v1/score", {"texts": [GERMAN, KIND]}).json["results"]
        )
    assert (german["language"], kind["language"]) == ("de", None)
    assert list(german["scores"].values()) == written(many.score([GERMAN])[0])
    assert "model" not in german


def test_a_language_without_a_model_is_an_error_before_the_start(models):
    names = ",".join(model.name for model in models)
    with pytest.raises(SettingsError, match="reads sv"):
        Service(ServiceSettings(model=names, languages=("en", "sv"))).check()
