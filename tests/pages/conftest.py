"""The pages, run without a browser, with stand-ins for models."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from classifier.cache import shared_models
from tests.pages.standins import visit


@pytest.fixture(autouse=True)
def no_model_from_another_test():
    shared_models().clear()
    yield
    shared_models().clear()


@pytest.fixture
def serve(monkeypatch) -> Callable[..., AppTest]:
    """Return a function that opens a page with these models in its picker, by name."""

    def open_page(page="score", **models):
        monkeypatch.setattr("classifier.models.available_models", lambda: list(models))
        monkeypatch.setattr("classifier.load_classifier", models.__getitem__)
        return visit(page)

    return open_page
