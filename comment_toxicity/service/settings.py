"""What an operator can set: one dataclass has the defaults, flags and environment variables.

The field rate_limit is the flag --rate-limit of `python -m comment_toxicity serve` and the variable
TOXICITY_RATE_LIMIT, which also sets it where the service runs on the page's port. API keys come
from a file or from TOXICITY_API_KEYS, never from a flag: other users of a machine can see flags.
"""

import argparse
import dataclasses
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

from comment_toxicity.errors import SettingsError
from comment_toxicity.fetch.find import EMBEDDED
from comment_toxicity.service.browsers import LOCAL, is_loopback

PREFIX = "TOXICITY_"
KEYS_VARIABLE = f"{PREFIX}API_KEYS"
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the name is prometheus_client's
DEFAULT_DATABASE = "sqlite:///feedback.sqlite3"
HOST = re.compile(r"\*|(\*\.)?[\w.-]+", re.ASCII)
# Written into the discovery document, so it must be a URL and nothing else.
ADDRESS = re.compile(r"https?://[\w.\[\]:-]+(/[\w./~-]*)?", re.ASCII)


def _setting(default: Any, metavar: str, effect: str) -> Any:
    return field(default=default, metadata={"metavar": metavar, "effect": effect})


@dataclass(frozen=True)
class ServiceSettings:
    """The settings of the service. Raises SettingsError for an invalid one."""

    model: str = _setting(
        EMBEDDED,
        "NAMES",
        "the model to score with: a name in models/ or runs/, a model folder, or a Hub id; of "
        "several, separated by commas, the first that reads a text's language scores it",
    )
    languages: tuple[str, ...] = _setting(
        (),
        "CODES",
        "the languages that are answered, as comma-separated codes; others are refused (default: "
        "those that the models read, by their cards)",
    )
    api_keys_file: str = _setting(
        "",
        "FILE",
        "answer only callers with a key from this file, one per line, with # before a comment; "
        f"{KEYS_VARIABLE} can add keys, separated by commas (default: no key needed)",
    )
    rate_limit: str = _setting(
        "",
        "LIMIT",
        "answer 429 to a caller beyond this limit, such as 10/second or 600/minute; a caller is a "
        "key, or an IP address where no keys are set (default: no limit)",
    )
    rate_limit_storage: str = _setting(
        "memory://",
        "URL",
        "where callers are counted; each worker counts separately unless this names shared "
        "storage, such as redis://localhost:6379 (pip install redis)",
    )
    policy: str = _setting(
        "",
        "FILE",
        "a TOML file of policies: thresholds and words for each community, and which API key has "
        "which; read again on SIGHUP (default: the model's thresholds for all)",
    )
    max_requests: int = _setting(
        256, "N", "answer 503 while a worker has this many requests in progress"
    )
    max_wait: float = _setting(
        0.6,
        "SECONDS",
        "answer 503 when a comment would wait longer than this before it is scored, judging by "
        "the speed of the last ones",
    )
    max_body: int = _setting(2_097_152, "BYTES", "answer 413 to a larger request")
    cors_origins: tuple[str, ...] = _setting(
        (),
        "ORIGINS",
        "let web pages of these comma-separated origins call from a browser; * for all "
        "(default: none)",
    )
    allowed_hosts: tuple[str, ...] = _setting(
        (),
        "NAMES",
        "answer only to these comma-separated host names, *.example.org for those below one, * for "
        "all; IP addresses and localhost are always answered (default: no others on a loopback "
        "address such as 127.0.0.1, else all)",
    )
    public_url: str = _setting(
        "",
        "URL",
        "the URL that clients use, for the discovery document (default: the request's host)",
    )
    feedback_database: str = _setting(
        "",
        "URL",
        "store what comments:suggestscore sends, comments included, in this SQLAlchemy database; "
        f"without a URL, {DEFAULT_DATABASE}; set a URL with a password in "
        f"{PREFIX}FEEDBACK_DATABASE instead (default: store nothing)",
    )

    decision_log: str = _setting(
        "",
        "FILE|URL",
        "write a line for each scored comment that has an id, without its text, to this file of "
        "JSON lines or this SQLAlchemy database; set a URL with a password in "
        f"{PREFIX}DECISION_LOG instead (default: write nothing)",
    )
    decision_log_size: int = _setting(
        1000, "MB", "keep at most so much of the decision log; the oldest lines are deleted first"
    )

    def __post_init__(self):
        for name in ("max_requests", "max_body", "decision_log_size"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{_flag(name)} must be at least 1.")
        if not self.max_wait > 0:
            raise SettingsError("--max-wait must be more than 0.")
        for language in self.languages:
            if not re.fullmatch("[a-z]{2,3}", language):
                raise SettingsError(
                    f"--languages: {language!r} is not a language code; write it as en or de."
                )
        for host in self.allowed_hosts:
            if not HOST.fullmatch(host):
                raise SettingsError(
                    f"--allowed-hosts: {host!r} is not a host name; write it as example.org, "
                    "without scheme or port."
                )
        if self.public_url and not ADDRESS.fullmatch(self.public_url):
            raise SettingsError(
                f"--public-url: {self.public_url!r} is not a URL; write it as https://HOST/PATH."
            )

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ, **flags: str | None) -> Self:
        """Read flags first, then environment variables, then defaults. Raises SettingsError."""
        values = {}
        for entry in dataclasses.fields(cls):
            given = flags.get(entry.name)
            origin = _flag(entry.name)
            if given is None and _variable(entry.name) in environment:
                given, origin = environment[_variable(entry.name)], _variable(entry.name)
            if given is not None:
                values[entry.name] = _convert(given, entry.default, origin)
        return cls(**values)

    def on(self, address: str) -> Self:
        """Return the settings of a server that listens on this address, or host name.

        Only this machine reaches a loopback address, but so do the websites that it looks at.
        """
        if self.allowed_hosts or not is_loopback(address):
            return self
        public = urlsplit(self.public_url).hostname
        return dataclasses.replace(self, allowed_hosts=(LOCAL, *([public] if public else [])))

    def environment(self) -> dict[str, str]:
        """Return the variables from which read() gets these settings in another process."""
        return {
            _variable(name): ",".join(value) if isinstance(value, tuple) else str(value)
            for name, value in dataclasses.asdict(self).items()
        }


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `serve`: those of the server, then one per setting."""
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="listen on this address; 0.0.0.0 for callers on other machines (default: %(default)s)",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=8080,
        metavar="N",
        help="listen on this port (default: %(default)s)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="run this many processes; one already uses all cores for the model, more help if HTTP "
        "is much of the work (default: %(default)s)",
    )
    parser.add_argument(
        "--drain-seconds",
        type=float,
        default=1.0,
        metavar="S",
        help="on SIGTERM, keep answering this long while asking callers to leave; choose more than "
        "the interval of the load balancer's health checks (default: %(default)s)",
    )
    for entry in dataclasses.fields(ServiceSettings):
        default = entry.default
        default_text = ",".join(default) if isinstance(default, tuple) else default
        effect = entry.metadata["effect"]
        if "(default" not in effect:
            effect += f" (default: {default_text})"
        optional: dict[str, Any] = {}
        if entry.name == "feedback_database":
            optional = {"nargs": "?", "const": DEFAULT_DATABASE}
        parser.add_argument(
            _flag(entry.name), metavar=entry.metadata["metavar"], help=effect, **optional
        )


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _convert(given: str, default: Any, origin: str) -> Any:
    if isinstance(default, tuple):
        return tuple(part.strip() for part in given.split(",") if part.strip())
    if isinstance(default, int | float):
        try:
            return type(default)(given)
        except ValueError:
            expected = "whole number" if isinstance(default, int) else "number"
            raise SettingsError(f"{origin}: {given!r} is not a {expected}.") from None
    return given
