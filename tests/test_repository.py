"""What a newcomer meets: the README, make, the pinned packages, the tracked files."""

import itertools
import re
import sys
import tomllib
from pathlib import Path

import pytest
from PIL import Image

from tests.running import ROOT, run, tracked

README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = ["requirements.txt", "requirements-slim.txt", "requirements-dev.txt"]
TARGETS = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.M)[1].split()


def blocks(language):
    """The README's fenced blocks in that language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)


def shipped_files():
    return [ROOT / name for name in tracked()]


# The README


def test_the_python_example_of_the_readme_runs():
    [example] = blocks("python")
    answer = run(sys.executable, "-c", example)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout


def anchors(document):
    """What #… can follow the document's name in a link: its headings, as GitHub writes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


DOCUMENTS = [path for path in shipped_files() if path.suffix == ".md"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_links_of_each_document_work(document):
    links = re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", document.read_text(encoding="utf-8"))
    for path, anchor in links:
        target = document.parent / path if path else document
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"


def test_each_promise_of_security_names_tests_that_exist():
    promises = (ROOT / "SECURITY.md").read_text(encoding="utf-8").split("\n## ")[2]
    rows = re.findall(r"^\| (?!promise |---)(.+) \|$", promises, re.M)
    assert len(rows) > 10
    for row in rows:
        files = re.findall(r"`(tests/\S+)`", row)
        assert files, row
        assert [file for file in files if not (ROOT / file).is_file()] == []


def test_every_path_in_the_readmes_tree_exists():
    tree = README.split("## The tree")[1].split("```")[1]
    names = re.findall(r"^(\S+)", tree, re.M)
    assert {"app.py", "comment_toxicity/", "finetune/", "test_model.py"} <= set(names)
    assert [name for name in names if not (ROOT / name).exists()] == []


# make and the pins


def test_make_alone_lists_every_target():
    listing = run("make").stdout
    assert re.findall(r"^make (\S+) +\S", listing, re.M) == TARGETS


def test_the_newest_entry_of_the_changelog_is_this_version():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+?),? ", changelog, re.M)[1] == PROJECT["project"]["version"]


def pins(lock):
    """The lock's lines NAME==VERSION, without their comments and markers, in its order."""
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    return [line.split()[0] for line in lines if line[:1].isalnum()]


def names_of(requirements):
    """The packages that requirements as `moto[s3]==5` name, as the locks write them."""
    return {re.match(r"[\w.-]+", each)[0].replace("_", "-") for each in requirements}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_once(lock):
    assert [pin for pin in pins(lock) if not re.fullmatch(r"[\w.-]+==[\w.]+", pin)] == []
    assert len(pins(lock)) == len(names_of(pins(lock)))


def test_the_locks_have_every_requirement_of_pyproject():
    project, groups = PROJECT["project"], PROJECT["dependency-groups"]
    extras = project["optional-dependencies"]
    slim = [*project["dependencies"], *groups["app"]]
    slim += [*extras["files"], *extras["serve"], *extras["hub"]]
    asked = {
        "requirements.txt": slim + extras["s3"] + groups["train"],
        "requirements-slim.txt": slim,
        "requirements-dev.txt": groups["dev"],
    }
    for lock, requirements in asked.items():
        assert names_of(requirements) - {"comment-toxicity"} <= names_of(pins(lock)), lock
        exact = {each.replace("_", "-") for each in requirements if "==" in each}
        assert exact <= set(pins(lock)), lock


def test_an_installed_package_pins_no_version():
    project = PROJECT["project"]
    extras = itertools.chain(*project["optional-dependencies"].values())
    published = [*project["dependencies"], *extras]
    assert [each for each in published if "==" in each] == []


def test_a_package_has_the_same_version_in_every_lock():
    versions = {}
    for pin in itertools.chain(*map(pins, LOCKS)):
        name, version = pin.split("==")
        assert versions.setdefault(name, version) == version, name


def test_the_slim_packages_are_pinned_by_hash():
    """So that the slim image, and a server, install these files and no others."""
    lock = (ROOT / "requirements-slim.txt").read_text(encoding="utf-8")
    by_package = re.split(r"^(?=\w)", lock, flags=re.M)[1:]
    assert len(by_package) == len(pins("requirements-slim.txt"))
    assert [each.split()[0] for each in by_package if "--hash=sha256:" not in each] == []


def test_no_cuda_package_is_pinned():
    """They belong to torch's CUDA build alone, which asks for them itself."""
    assert not re.search(r"^(nvidia|cuda|triton)", (ROOT / "requirements.txt").read_text(), re.M)


# What is tracked


def test_no_pickle_is_shipped():
    pickles = {".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth"}
    assert [path for path in shipped_files() if path.suffix in pickles] == []


def test_tests_and_ci_use_no_path_outside_the_repository():
    outside = re.compile(r"\.\./shared|/(home|root|work|Users)/(?!ann/)\w")  # Ann is made up
    lean = [".ci", ".github", "Makefile", "tests"]
    files = [path for path in shipped_files() if path.relative_to(ROOT).parts[0] in lean]
    assert len(files) > 5
    others = [path for path in files if path != Path(__file__)]
    assert [path for path in others if outside.search(path.read_text(encoding="utf-8"))] == []


def test_only_three_files_have_the_address_of_the_repository():
    address = re.compile(r"https://github\.com/(OWNER|YOU\w*)/[\w-]+", re.I)
    texts = [path for path in shipped_files() if path.suffix not in {".onnx", ".png", ".webp"}]
    counts = {
        path.relative_to(ROOT).as_posix(): len(address.findall(path.read_text("utf-8", "replace")))
        for path in texts
        if path != Path(__file__)
    }
    assert {name: count for name, count in counts.items() if count} == {
        "README.md": 2,  # to clone and to install
        "deploy/cloud-init.yaml": 1,
        "notebooks/finetune.ipynb": 1,
    }


def test_the_images_of_the_readme_have_one_height_and_one_scale():
    images = re.findall(r'<img src="(.+?)" height="(\d+)"', README)
    assert len(images) == 2
    assert len({height for _, height in images}) == 1
    still, *_ = re.findall(r'srcset="(.+?)"', README)
    heights = []
    for path in (still, *(path for path, _ in images)):
        with Image.open(ROOT / path) as image:
            heights.append(image.height)
    assert max(heights) < 1.05 * min(heights)


# Importing does no work

WATCHED_IMPORT = """
import sys
from pathlib import Path

root, module = Path.cwd(), sys.argv[1]
sys.argv[1:] = ["--no-such-flag"]  # parsing flags at import would end here

def watch(event, details):
    if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
        raise SystemExit(f"{event} {details}")
    if event == "open" and isinstance(details[0], str):
        path = Path(details[0]).absolute()
        code = path.suffix == ".py" or ".pyc" in path.name
        # Streamlit's settings: they say below which path app's own routes belong.
        code |= module == "app" and path == root / ".streamlit" / "config.toml"
        if root in path.parents and not code and ".venv" not in path.parts:
            raise SystemExit(f"opens {path}")

sys.addaudithook(watch)
__import__(module)
"""


@pytest.mark.parametrize(
    "module",
    [
        *(
            "app",
            "test_model",
            "comment_toxicity",
            "comment_toxicity.__main__",
            "comment_toxicity.service.server",
        ),
        *("finetune", "finetune.__main__", "finetune.audit.__main__"),
    ],
)
def test_importing_does_no_work(module):
    answer = run(sys.executable, "-c", WATCHED_IMPORT, module)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert answer.stdout == ""
