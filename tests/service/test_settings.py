"""Flags, environment variables and defaults of the service."""

import pytest

from comment_toxicity.errors import SettingsError
from comment_toxicity.service.settings import ServiceSettings


def test_a_flag_overrides_the_environment_which_overrides_the_default():
    environment = {"TOXICITY_MAX_REQUESTS": "5", "TOXICITY_LANGUAGES": "en, de"}
    settings = ServiceSettings.read(environment, max_requests="7", rate_limit=None)
    assert settings == ServiceSettings(max_requests=7, languages=("en", "de"))
    assert ServiceSettings.read(settings.environment()) == settings


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"TOXICITY_MAX_BODY": "much"}, "TOXICITY_MAX_BODY"),
        ({"TOXICITY_MAX_WAIT": "nan"}, "--max-wait"),
        ({"TOXICITY_MAX_WAIT": "long"}, "TOXICITY_MAX_WAIT"),
        ({"TOXICITY_LANGUAGES": "en,EN-us"}, "--languages"),
        ({"TOXICITY_PUBLIC_URL": "toxicity.example"}, "--public-url"),
    ],
)
def test_an_invalid_setting_is_named(environment, name):
    with pytest.raises(SettingsError, match=name):
        ServiceSettings.read(environment)
