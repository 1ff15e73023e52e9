"""Two communities with rules of their own on one service, in each wire format."""

import asyncio
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from comment_toxicity.errors import SettingsError
from comment_toxicity.policy import Policies, Rules
from comment_toxicity.service import service
from comment_toxicity.service.service import Service
from comment_toxicity.service.settings import ServiceSettings
from tests.running import ROOT
from tests.service.conftest import KIND, RUDE

POLICIES = f"""
default = "garden"

[policies.garden]
thresholds = {{toxic = 0.999, insult = 0.999, obscene = 0.999}}
never = ["idiot"]

[policies.arena]
keys = ["sha256:{hashlib.sha256(b"arena-key").hexdigest()}"]
always = {{threat = ["numpty"]}}
"""
KEYS = "garden-key\narena-key\n"
GARDEN, ARENA = ({"X-Goog-Api-Key": key} for key in ("garden-key", "arena-key"))


@pytest.fixture
def files(tmp_path):
    """A file of policies and one of keys."""
    policy, keys = tmp_path / "policy.toml", tmp_path / "keys"
    policy.write_text(POLICIES, encoding="utf-8")
    keys.write_text(KEYS, encoding="utf-8")
    return {"policy": str(policy), "api_keys_file": str(keys)}


def score(running, text, headers=GARDEN, **fields):
    return running.post("/v1/score", {"texts": [text], **fields}, **headers)


def analyze(running, text, headers=GARDEN, **fields):
    body = {"comment": {"text": text}, "requestedAttributes": {"TOXICITY": {}, "THREAT": {}}}
    return running.post("/v1alpha1/comments:analyze", {**body, **fields}, **headers)


def test_each_key_gets_the_rules_of_its_community(serving, embedded, files):
    with serving(**files) as running:
        garden = score(running, RUDE).json
        arena = score(running, RUDE, ARENA).json
        flagged = score(running, f"{KIND} numpty", ARENA).json["results"][0]
    [whole], [without] = (embedded.score([text]) for text in (RUDE, RUDE.replace("idiot", "")))
    assert (garden["policy"], arena["policy"]) == ("garden", "arena")
    assert garden["thresholds"]["toxic"] == 0.999
    assert arena["thresholds"] == embedded.thresholds
    [garden], [arena] = garden["results"], arena["results"]
    assert np.array_equal(np.float32(list(garden["scores"].values())), without)
    assert np.array_equal(np.float32(list(arena["scores"].values())), whole)
    assert garden["flags"] == []
    assert arena["flags"] == embedded.flags(whole) != []
    assert flagged["flags"] == ["threat"]


def test_thresholds_alter_no_score(serving, embedded, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text("[policies.a.thresholds]\ntoxic = 0\ninsult = 1", encoding="utf-8")
    with serving(policy=str(policy)) as running:
        plain = score(running, RUDE).json
        mine = score(running, RUDE, policy="a").json
    assert "policy" not in plain
    assert mine["results"][0]["scores"] == plain["results"][0]["scores"]
    assert mine["results"][0]["flags"][0] == "toxic"
    assert "insult" not in mine["results"][0]["flags"]


def test_a_request_can_name_a_policy(serving, files):
    with serving(**files) as running:
        assert score(running, RUDE, policy="arena").json["policy"] == "arena"
        assert score(running, RUDE, ARENA, policy="garden").json["policy"] == "garden"
        assert analyze(running, RUDE, communityId="arena").json["policy"] == "arena"
        assert running.get("/v1/model", **ARENA).json["policy"] == "arena"
        assert running.get("/v1/model", **GARDEN).json["thresholds"]["toxic"] == 0.999


def test_perspectives_format_has_the_flags_of_the_policy_beside_the_scores(serving, files):
    text = f"{KIND} Idiot. You numpty."
    with serving(**files) as running:
        garden = analyze(running, text, spanAnnotations=True).json
        arena = analyze(running, text, ARENA, spanAnnotations=True).json
    assert (garden["policy"], garden["flags"]) == ("garden", [])
    assert arena["policy"] == "arena"
    assert "THREAT" in arena["flags"]
    spans = [
        [(span["begin"], span["end"]) for span in body["attributeScores"]["TOXICITY"]["spanScores"]]
        for body in (garden, arena)
    ]
    assert spans[0] == spans[1]  # they are of the comment as it was sent
    assert [text[begin:end] for begin, end in spans[0]] == [KIND, "Idiot.", "You numpty."]
    second = [body["attributeScores"]["TOXICITY"]["spanScores"][1] for body in (garden, arena)]
    assert second[0]["score"]["value"] < 0.1 < second[1]["score"]["value"]


def test_openais_format_lists_policies_as_models(serving, files):
    with serving(**files) as running:
        data = running.get("/v1/models", **GARDEN).json["data"]
        assert running.get("/v1/models").status == 401  # names are for those who have a key
    assert [model["id"] for model in data] == ["toxic-minilm", "ours:garden", "ours:arena"]


def test_openais_format_names_a_policy_as_its_model(serving, files):
    with serving(**files) as running:

        def moderate(text, headers=GARDEN, **fields):
            return running.post("/v1/moderations", {"input": text, **fields}, **headers)

        [garden] = moderate(RUDE, model="ours:garden").json["results"]
        [arena] = moderate(RUDE, model="ours:arena").json["results"]
        [by_key] = moderate(RUDE, ARENA, model="omni-moderation-latest").json["results"]
        [word] = moderate([f"{KIND} Numpty."], ARENA).json["results"]
        unknown = moderate(RUDE, model="ours:nowhere")
    assert not garden["flagged"]
    harassment = [each["category_scores"]["harassment"] for each in (garden, arena)]
    assert harassment[0] < harassment[1]
    assert arena["categories"]["harassment"]
    assert by_key == arena
    assert [name for name, on in word["categories"].items() if on] == ["harassment/threatening"]
    assert word["category_scores"]["harassment/threatening"] < 0.1
    assert unknown.status == 400
    assert unknown.json["error"] == {
        "message": "Unknown policy: nowhere",
        "type": "invalid_request_error",
        "param": "model",
        "code": "unknown_policy",
    }


def test_an_unknown_policy_is_a_400_with_its_own_type(serving, running, files):
    with serving(**files) as strict:
        for reply in (
            score(strict, RUDE, policy="nowhere"),
            score(strict, RUDE, policy=""),
            score(running, RUDE, policy="garden"),
            analyze(strict, RUDE, communityId="nowhere" * 200),
        ):
            assert reply.status == 400
            message, error_type = reply.error
            assert error_type == "UNKNOWN_POLICY"
            assert message.startswith("Unknown policy: ")
            assert len(message) < 200
        assert score(strict, RUDE, policy=3).status == 400
    # Without policies a community is a name that changes nothing, as with Perspective.
    assert analyze(running, RUDE, communityId="nowhere").status == 200
    assert "policy" not in analyze(running, RUDE, communityId="nowhere").json


def test_the_document_shows_names_only_where_everybody_may_know_them(serving, running, files):
    def schema(service):
        path = service.get("/openapi.json").json["paths"]["/v1/score"]["post"]
        body = path["requestBody"]["content"]["application/json"]["schema"]
        return body["properties"]["policy"]

    assert schema(running) == {"not": {}}
    with serving(**files) as keyed:
        assert schema(keyed) == {"type": "string"}
    plain = re.sub(r"keys = .*", "", POLICIES)
    Path(files["policy"]).write_text(plain, encoding="utf-8")
    with serving(policy=files["policy"]) as free:
        assert schema(free) == {"enum": ["garden", "arena"]}


def test_a_long_comment_is_scored_to_where_the_answer_says(serving, files, embedded, monkeypatch):
    monkeypatch.setattr(service, "MAX_TEXT_TOKENS", 400)
    text = "idiot " + "\ufdfa! " * 100
    with serving(**files) as running:
        [result] = score(running, text).json["results"]
        truncated = analyze(running, text, languages=["en"]).json
    characters = result["scoredCharacters"]
    assert 20 < characters < len(text)
    [expected] = embedded.score([text[len("idiot") : characters]])
    assert np.array_equal(np.float32(list(result["scores"].values())), expected)
    assert truncated["truncated"] is True


def test_a_key_that_the_service_does_not_know_is_an_error_at_the_start(files):
    settings = ServiceSettings(policy=files["policy"])
    with pytest.raises(SettingsError, match=r"policy\.toml: policies\.arena\.keys has a key"):
        Service(settings).check()
    Service(ServiceSettings(**files)).check()


def test_a_broken_file_keeps_the_policies_and_the_log_says_why(embedded, files, caplog):
    async def reloaded():
        service = Service(ServiceSettings(**files), load=lambda _: embedded)
        await service.start()
        try:
            file = Path(files["policy"])
            file.write_text(f"{POLICIES}[policies.third]\nnever = 3\n", encoding="utf-8")
            await service.reload_policies()
            before = service.policy_names
            file.write_text("[policies.third]\n", encoding="utf-8")
            await service.reload_policies()
            return before, service.policy_names
        finally:
            await service.stop()

    assert asyncio.run(reloaded()) == (["garden", "arena"], ["third"])
    told = [record.getMessage() for record in caplog.records]
    assert re.fullmatch(r".*policies\.third\.never is not a list.*stay as they were\.", told[0])
    assert told[1:] == ["The policies have been read again."]


def test_the_policy_file_of_the_docs_can_be_used(embedded):
    text = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
    [example] = re.findall(r"^```toml\n(.*?)^```$", text, re.M | re.S)
    policies = Policies.parse("docs", example, embedded.labels)
    assert list(policies.named) == ["garden", "arena"]
    garden = Rules(policies.named["garden"], embedded)
    assert (
        garden.treat("A TIT, a 𝐭𝐢𝐭, a t<b>i</b>t, a title, t1t").text == "A , a , a , a title, t1t"
    )
    arena = Rules(policies.named["arena"], embedded)
    assert arena.treat("I will SWAT you").always == {"threat"}
