"""What `streamlit run app.py` serves: the frame around the pages."""

import subprocess
import sys
from pathlib import Path

from streamlit.testing.v1 import AppTest
from streamlit.web.server.app_discovery import discover_asgi_app

from classifier.errors import EXIT_CODE

ROOT = Path(__file__).parent.parent


def test_streamlit_run_finds_the_application_that_carries_the_routes():
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


def test_the_page_itself_needs_neither_torch_nor_transformers():
    """They take seconds and hundreds of megabytes, and the embedded model does without them."""
    code = (
        "import app, ui.navigation, sys; from streamlit.testing.v1 import AppTest;"
        "page = AppTest.from_file('ui/navigation.py', default_timeout=60).run();"
        "page.text_area(key='comment').set_value('hello you'); page.button[0].click().run();"
        "assert not page.exception and not page.error;"
        "print({'torch', 'transformers', 'sklearn', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_a_setting_that_cannot_be_understood_is_told_in_place_of_the_page(monkeypatch):
    monkeypatch.setenv("TOXICITY_PUBLIC", "perhaps")
    page = AppTest.from_file(ROOT / "ui" / "navigation.py", default_timeout=60).run()
    assert page.error[0].value.startswith(r"TOXICITY\_PUBLIC is 'perhaps'")
    assert not page.text_area


def test_a_setting_of_the_service_that_cannot_be_understood_is_one_line(monkeypatch):
    monkeypatch.setenv("TOXICITY_MAX_WAIT", "soon")
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", "0"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == EXIT_CODE
    assert done.stderr.splitlines()[-1] == "error: TOXICITY_MAX_WAIT: 'soon' is not a number."
    assert "Traceback" not in done.stderr


def test_a_slim_installation_opens_every_page_and_says_what_it_lacks():
    """It has none of these packages; see requirements-slim.txt."""
    code = (
        "import sys;"
        "sys.modules |= dict.fromkeys(['torch', 'transformers', 'sklearn', 'scipy', 'matplotlib',"
        " 'safetensors', 'accelerate', 'boto3', 'onnx']);"
        "from streamlit.testing.v1 import AppTest\n"
        "for name in ('score', 'file', 'models', 'train'):\n"
        "    page = AppTest.from_file(f'pages/{name}.py', default_timeout=60).run()\n"
        "    assert not page.exception and not page.error, (name, page.exception)\n"
        "    print(name, [info.value for info in page.info])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "train ['Training needs the full installation" in done.stdout
    assert "models ['Measuring needs the full installation" in done.stdout


def test_many_sessions_score_at_once_with_one_copy_of_the_model():
    """The README's benchmark, small: it speaks to the served page as browsers do."""
    few = ["--sessions", "5", "--seconds", "4"]
    done = subprocess.run(
        [sys.executable, "benchmarks/sessions.py", *few],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "errors: 0" in done.stdout
    assert "models loaded by the page: toxic-minilm\n" in done.stdout
