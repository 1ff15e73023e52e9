"""What a browser may be made to send by other websites: requests that do not reach an endpoint.

A website can let its visitors' browsers call any address that they reach, such as a service on
their own machine. It cannot choose the headers Host, Origin and Sec-Fetch-Site.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from comment_toxicity.service.errors import ApiError

LOCAL = "localhost"


def check_host(host: str, allowed: Sequence[str]) -> None:
    """Raise ApiError for a host name that is not among the allowed ones; none allows all.

    A website whose name comes to mean this machine (DNS rebinding) would be its own origin here.
    That takes a name: addresses and localhost are always allowed, and so is a missing Host.
    """
    name = _name(host)
    if not allowed or not host or name == LOCAL or _is_address(name):
        return
    for pattern in (entry.lower().rstrip(".") for entry in allowed):
        if pattern in ("*", name) or (pattern[:2] == "*." and name.endswith(pattern[1:])):
            return
    shown = re.sub(r"[^\w.:-]", "?", name[:100], flags=re.ASCII)
    raise ApiError(
        403,
        f"This server does not answer to the name {shown}; its operator can allow it with "
        "--allowed-hosts (TOXICITY_ALLOWED_HOSTS).",
    )


def check_origin(headers: Mapping[str, str], own: Sequence[str], allowed: Sequence[str]) -> None:
    """Raise ApiError for a request that a browser sends for another website's page.

    own: the URLs of this server. allowed: origins that may call, * for all.
    """
    origin = headers.get("origin")
    if "*" in allowed or origin in allowed:
        return
    if origin is None:
        foreign = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
    else:
        host = _netloc(origin)
        foreign = not host or host not in {headers.get("host"), *map(_netloc, own)}
    if foreign:
        raise ApiError(
            403,
            "Web pages of other sites may not call this server; its operator can allow a site "
            "with --cors-origins (TOXICITY_CORS_ORIGINS).",
        )


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches a server that listens on this address."""
    return address == LOCAL or (_is_address(address) and ipaddress.ip_address(address).is_loopback)


def _name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _netloc(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
