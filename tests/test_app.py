"""What `streamlit run app.py` serves: the frame around the pages."""

import shutil
import signal
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.web.server.app_discovery import discover_asgi_app

from comment_toxicity.errors import UserError
from tests.running import ROOT, python


def test_streamlit_run_finds_the_application_with_the_routes():
    found = discover_asgi_app(ROOT / "app.py")
    assert found.import_string == "app:app"


def test_every_page_opens_without_an_error():
    page = AppTest.from_file(ROOT / "ui" / "navigation.py", default_timeout=60).run()
    titles = {page.title[0].value}
    for file in sorted((ROOT / "pages").glob("*.py")):
        page.switch_page(f"../pages/{file.name}").run()
        assert not page.exception, file
        assert not page.error, file
        titles.add(page.title[0].value)
    assert len(titles) == len(list((ROOT / "pages").glob("*.py")))


def test_score_needs_neither_torch_nor_transformers_nor_pandas():
    """They take seconds and hundreds of megabytes, and the embedded model does without them."""
    code = (
        "import app, ui.navigation, sys; from streamlit.testing.v1 import AppTest;"
        "page = AppTest.from_file('ui/navigation.py', default_timeout=60).run();"
        "page.text_area(key='comment').set_value('hello you'); page.button[0].click().run();"
        "assert not page.exception and not page.error;"
        "print({'torch', 'transformers', 'sklearn', 'matplotlib', 'pandas'} & set(sys.modules))"
    )
    done = python("-c", code)
    assert done.stdout == "set()\n", done.stderr


def test_an_invalid_setting_is_shown_in_place_of_the_page(monkeypatch):
    monkeypatch.setenv("TOXICITY_PUBLIC", "perhaps")
    page = AppTest.from_file(ROOT / "ui" / "navigation.py", default_timeout=60).run()
    assert page.error[0].value.startswith(r"TOXICITY\_PUBLIC is 'perhaps'")
    assert not page.text_area


def refused_start(**environment):
    """Start the page, which must fail. Returns its last line."""
    done = python("-m", "streamlit", "run", "app.py", "--server.port", "0", **environment)
    assert done.returncode == UserError.exit_code
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def test_an_invalid_setting_of_the_service_ends_the_start_with_one_line():
    line = refused_start(TOXICITY_MAX_WAIT="soon")
    assert line == "error: TOXICITY_MAX_WAIT: 'soon' is not a number."


def test_an_unusable_model_or_database_ends_the_start_with_one_line(tmp_path):
    assert refused_start(TOXICITY_MODEL="nope").startswith("error: No model 'nope'.")
    database = f"sqlite:///{tmp_path}/no/feedback.sqlite3"
    assert refused_start(TOXICITY_FEEDBACK_DATABASE=database).startswith("error: ")


def test_a_model_that_cannot_be_loaded_ends_the_start_with_one_line(tmp_path):
    folder = tmp_path / "broken"
    shutil.copytree(ROOT / "models" / "toxic-minilm", folder)
    (folder / "decision.json").unlink()  # it knows the weights by their sum
    (folder / "model.onnx").write_bytes(b"no weights")
    line = refused_start(TOXICITY_MODEL=str(folder))
    assert "ONNX Runtime cannot load it" in line


STOPPED_SERVER = """
import os, sys, threading, time, app, uvicorn
from ui.workspace import Workspace

def stop():
    while not server.started:
        time.sleep(0.05)
    os.kill(os.getpid(), int(sys.argv[1]))

visitor = Workspace()
(visitor.new_folder() / "pasted.csv").write_text("text")
server = uvicorn.Server(uvicorn.Config(app.app, port=0))
threading.Thread(target=stop).start()
print(visitor.folder)
server.run()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_stopped_leaves_no_visitors_files(tmp_path, number):
    done = python("-u", "-c", STOPPED_SERVER, str(int(number)), TMPDIR=str(tmp_path))
    assert Path(done.stdout.strip()).parent == tmp_path, done.stderr
    assert not list(tmp_path.iterdir())


RELOADED_SERVER = """
import os, signal, sys, threading, time, app, uvicorn
from pathlib import Path

def wait(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)

def reload():
    wait(lambda: server.started)
    print(app.SERVICE.policy_names)
    Path(sys.argv[1]).write_text("[policies.new]")
    os.kill(os.getpid(), signal.SIGHUP)
    wait(lambda: app.SERVICE.policy_names != ["old"])
    print(app.SERVICE.policy_names)
    os.kill(os.getpid(), signal.SIGTERM)

server = uvicorn.Server(uvicorn.Config(app.app, port=0))
threading.Thread(target=reload).start()
server.run()
"""


def test_a_page_reads_its_policies_again_on_sighup(tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text("[policies.old]", encoding="utf-8")
    done = python("-u", "-c", RELOADED_SERVER, str(policy), TOXICITY_POLICY=str(policy))
    assert done.stdout == "['old']\n['new']\n", done.stderr


def test_a_broken_policy_file_ends_the_start_with_one_line(tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text("[policies.a]\nnever = 3", encoding="utf-8")
    line = refused_start(TOXICITY_POLICY=str(policy))
    assert line.startswith(f"error: {policy}: policies.a.never is not a list of words")


def test_a_slim_installation_opens_every_page_and_says_what_it_lacks():
    """It has none of these packages; see requirements-slim.txt."""
    code = (
        "import sys;"
        "sys.modules |= dict.fromkeys(['torch', 'transformers', 'sklearn', 'scipy', 'matplotlib',"
        " 'safetensors', 'accelerate', 'boto3', 'onnx']);"
        "from streamlit.testing.v1 import AppTest\n"
        "for name in ('score', 'file', 'models', 'train'):\n"
        "    page = AppTest.from_file(f'pages/{name}.py', default_timeout=60)\n"
        "    page.query_params['model'] = 'toxic-minilm'\n"
        "    page.run()\n"
        "    assert not page.exception and not page.error, (name, page.exception)\n"
        "    print(name, [info.value for info in page.info])"
    )
    done = python("-c", code)
    assert done.returncode == 0, done.stderr
    assert "train ['Training needs the full installation" in done.stdout
    assert "models ['Measuring needs the full installation" in done.stdout


def test_many_sessions_score_at_once_with_one_copy_of_the_model():
    """The README's benchmark, small: it speaks to the served page as browsers do."""
    done = python("benchmarks/sessions.py", "--sessions", "5", "--seconds", "4")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "errors: 0" in done.stdout
    assert "models loaded by the page: toxic-minilm\n" in done.stdout
