"""docs/perspective.md, docs/openai.md and docs/api.md agree with the service."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from comment_toxicity.__main__ import parser
from tests.service.conftest import request

ROOT = Path(__file__).parents[2]
PERSPECTIVE = (ROOT / "docs" / "perspective.md").read_text(encoding="utf-8")
API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
OPENAI = (ROOT / "docs" / "openai.md").read_text(encoding="utf-8")


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def commands():
    lines = "".join(blocks(PERSPECTIVE + OPENAI + API, "bash")).splitlines()
    return [line for line in lines if line.startswith("python -m comment_toxicity ")]


@pytest.mark.parametrize("line", commands())
def test_the_parser_accepts_every_command_of_the_docs(line):
    assert parser().parse_args(shlex.split(line, comments=True)[3:])


def test_the_python_example_works_with_only_the_address_changed(running):
    [example] = blocks(PERSPECTIVE, "python")
    code = example.replace("http://127.0.0.1:8080", running.url)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "'summaryScore'" in done.stdout


def test_the_example_answer_is_that_of_the_shipped_model(running):
    shown = json.loads(blocks(API, "json")[0])
    [_, call, *_] = blocks(API, "bash")
    sent = shlex.split(call)[-1].encode()
    real = request(f"{running.url}/v1/score", sent).json
    assert list(shown) == list(real)
    assert shown["labels"] == real["labels"]
    assert real["model"]["weights"].startswith(shown["model"]["weights"].rstrip("…"))
    assert shown["thresholds"] == pytest.approx(real["thresholds"], abs=0.0006)
    for result, expected in zip(shown["results"], real["results"], strict=True):
        assert list(result) == list(expected)
        # Processors differ in how they round int8 products.
        assert result.get("scores") == pytest.approx(expected.get("scores"), abs=0.02)
        assert result.get("flags") == expected.get("flags")


def test_the_example_of_reasons_is_that_of_the_shipped_model(running):
    shown = json.loads(blocks(API, "json")[1])
    sent = shlex.split(blocks(API, "bash")[2])[-1].encode()
    [real] = request(f"{running.url}/v1/score", sent).json["results"]
    assert list(shown) == list(real)
    assert shown["scores"] == pytest.approx(real["scores"], abs=0.02)
    [explanation], [expected] = shown["explanations"].values(), real["explanations"].values()
    assert explanation["unit"] == expected["unit"]
    for part, found in zip(explanation["parts"], expected["parts"], strict=True):
        assert part.pop("effect") == pytest.approx(found.pop("effect"), abs=0.02)
        assert part == found


def test_the_example_error_is_a_real_one(running):
    shown = json.loads(blocks(API, "json")[2])["error"]
    real = request(f"{running.url}/v1/score", b'{"texts": []}').json["error"]
    assert {name: real[name] for name in shown} == shown


def test_the_example_of_a_moderation_is_a_real_one(running):
    shown = json.loads(blocks(OPENAI, "json")[0])
    sent = shlex.split(blocks(OPENAI, "bash")[0].splitlines()[-1])[-1].encode()
    real = request(f"{running.url}/v1/moderations", sent).json
    assert list(shown) == list(real)
    [result], [expected] = shown["results"], real["results"]
    assert list(result) == list(expected)
    assert result["flagged"] == expected["flagged"]
    for name in ("categories", "category_scores", "category_applied_input_types"):
        for category, value in result[name].items():
            # Processors differ in how they round int8 products.
            exact = name != "category_scores"
            assert expected[name][category] == (value if exact else pytest.approx(value, abs=0.02))


def test_the_example_error_of_a_moderation_is_a_real_one(running):
    body = b'{"model": 1, "input": "a"}'
    real = request(f"{running.url}/v1/moderations", body).json
    assert json.loads(blocks(OPENAI, "json")[1]) == real


def test_the_first_paragraph_on_moderations_says_what_is_not_covered():
    paragraph = OPENAI.split("\n\n")[1]
    for word in ("not cover sexual content, self-harm", "violence", "illicit"):
        assert word in paragraph


def test_the_agreement_in_the_docs_is_that_of_the_model(embedded):
    metrics = json.loads((embedded.folder.path / "metrics.json").read_text(encoding="utf-8"))
    for label, found in metrics["test"]["labels"].items():
        [shown] = re.findall(rf"^\| `[^|]*\| `{label}` \| ([\d.]+) \|", PERSPECTIVE, re.M)
        assert float(shown) == round(found["roc_auc"], 3), label


def test_the_thresholds_in_the_docs_follow_from_their_formula():
    odds = 0.096 / 0.904
    rows = re.findall(r"^\| (?:Perspective|here) \| (.*) \|$", PERSPECTIVE, re.M)
    theirs, ours = [[float(cell.split()[0]) for cell in row.split("|")] for row in rows]
    for old, new in zip(theirs, ours, strict=True):
        mine = old / (1 - old) * odds
        assert new == pytest.approx(mine / (1 + mine), abs=0.006)
