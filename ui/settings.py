"""What the operator can set by environment variables; they are read here and nowhere else."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import streamlit as st

from comment_toxicity.errors import SettingsError
from comment_toxicity.fetch.find import HUB_ID
from comment_toxicity.service.browsers import is_loopback

PUBLIC = "TOXICITY_PUBLIC"
TRAINING = "TOXICITY_TRAINING"
HUB_TYPED = "TOXICITY_HUB_TYPED"
HUB_MODELS = "TOXICITY_HUB_MODELS"
HUB_GIGABYTES = "TOXICITY_HUB_GIGABYTES"
SOURCE = "TOXICITY_SOURCE"
BY_LANGUAGE = "TOXICITY_BY_LANGUAGE"
WEB_ADDRESS = re.compile(r"https?://[\w.:-]{1,200}(/[\w./~-]{0,200})?")


@dataclass(frozen=True)
class PageSettings:
    """Settings of the page.

    public: strangers can open it, so what is expensive is off unless it is turned on by name; so it
        is by default where other machines reach the page.
    training: the Train page works.
    typed_models: visitors may load any model of the Hub by typing its id.
    hub_models: ids that the picker has beside the shipped list.
    hub_gigabytes: typed-in models that download more are refused.
    source: the address of the repository, for the links at the end of each page; may be empty.
    by_language: Score and File take another model for a comment that the chosen one does not read,
        rather than offer it.
    """

    public: bool
    training: bool
    typed_models: bool
    hub_models: tuple[str, ...]
    hub_gigabytes: float
    source: str = ""
    by_language: bool = False

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the environment; SettingsError names a variable that cannot be understood."""
        values = os.environ if environment is None else environment
        local = is_loopback(st.get_option("server.address") or "")
        # Spaces of Hugging Face set SPACE_ID; what runs there is open to the world.
        public = _switch(values, PUBLIC, default="SPACE_ID" in values or not local)
        gigabytes = values.get(HUB_GIGABYTES) or "2"
        try:
            size = float(gigabytes)
        except ValueError:
            size = 0.0
        if not size > 0:  # “nan” is not, either
            raise SettingsError(f"{HUB_GIGABYTES} is {gigabytes!r}; give a number above 0.")
        source = values.get(SOURCE, "").strip().rstrip("/")
        if source and not WEB_ADDRESS.fullmatch(source):
            raise SettingsError(
                f"{SOURCE} is {source!r}; give an address such as https://host/path."
            )
        return cls(
            public=public,
            training=_switch(values, TRAINING, default=not public),
            typed_models=_switch(values, HUB_TYPED, default=not public),
            hub_models=tuple(_ids(values.get(HUB_MODELS, ""))),
            hub_gigabytes=size,
            source=source,
            by_language=_switch(values, BY_LANGUAGE, default=False),
        )


def _switch(values: Mapping[str, str], name: str, default: bool) -> bool:
    value = values.get(name, "").strip().lower()
    if value in ("", "1", "true", "yes", "on", "0", "false", "no", "off"):
        return value in ("1", "true", "yes", "on") if value else default
    raise SettingsError(f"{name} is {value!r}; give 1 or 0.")


def _ids(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if not HUB_ID.fullmatch(name):
            raise SettingsError(
                f"{HUB_MODELS}: {name!r} is not a valid Hub id; give owner/name or "
                "owner/name@revision, separated by commas."
            )
    return names
