"""Real Node clients: googleapis through discoverAPI, and perspective-api-client.

They are installed by `npm ci --prefix tests/service/node`, which .ci/run does; without them,
there is nothing to run.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

NODE = Path(__file__).parent / "node"
INSTALLED = bool(shutil.which("node")) and (NODE / "node_modules").is_dir()

pytestmark = pytest.mark.skipif(
    not INSTALLED,
    reason="run `npm ci --prefix tests/service/node` first",
)


@pytest.fixture(scope="module")
def answers(running):
    """What clients.cjs prints."""
    command = ["node", NODE / "clients.cjs", running.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_googleapis_scores_through_the_discovery_document(answers):
    scored = answers["official"]["scored"]
    assert scored["attributeScores"]["TOXICITY"]["summaryScore"]["value"] > 0.8
    assert scored["attributeScores"]["TOXICITY"]["spanScores"][0]["end"] == 43
    assert scored["clientToken"] == "mine"


def test_googleapis_gives_the_reason_of_a_refusal(answers):
    refused = answers["official"]["refused"]
    assert refused["message"] == "Comment must be non-empty."
    assert refused["error"]["details"][0]["errorType"] == "COMMENT_EMPTY"


def test_googleapis_suggests_scores(answers):
    suggested = answers["official"]["suggested"]
    assert suggested == {"clientToken": "mine", "detectedLanguages": ["en"]}


def test_the_npm_client_gets_what_it_asks_for(answers):
    scores = answers["npm"]["scored"]["attributeScores"]
    assert list(scores) == ["TOXICITY", "INSULT"]
    assert scores["TOXICITY"]["summaryScore"]["value"] > 0.8


def test_the_npm_client_gives_the_reason_of_a_refusal(answers):
    assert answers["npm"]["refused"] == {
        "name": "ResponseError",
        "message": "Unknown requested attribute: SPAM",
    }
