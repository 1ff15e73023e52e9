"""API keys, compared in constant time, and a rate limit for each caller.

Without keys a caller is an IPv4 address, or the /64 of an IPv6 address: one line has that many.
"""

import hashlib
import hmac
import ipaddress
import logging
import os
import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

from limits import RateLimitItem, RateLimitItemPerMinute, parse_many
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import ConfigurationError, StorageError
from limits.storage import storage_from_string

from comment_toxicity.errors import SettingsError
from comment_toxicity.service.calls import Call
from comment_toxicity.service.errors import ApiKeyError, busy, invalid
from comment_toxicity.service.settings import KEYS_VARIABLE, ServiceSettings

LOG = logging.getLogger(__name__)

NO_KEY = (
    "Method doesn't allow unregistered callers (callers without established identity). Please use "
    "API Key or other form of API consumer identity to call this API."
)
WRONG_KEYS = RateLimitItemPerMinute(10)  # of one address
MOST_KNOWN = 10_000  # addresses that have used a key
BAD_KEY = "API key not valid. Please pass a valid API key."
BAD_KEY_DETAILS = {
    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
    "reason": "API_KEY_INVALID",
    "domain": "googleapis.com",
}


class Access:
    """Admits a call, or refuses it. Raises SettingsError for unusable keys or limits."""

    def __init__(self, settings: ServiceSettings, environment: Mapping[str, str] = os.environ):
        keys = _keys_in_file(settings.api_keys_file) if settings.api_keys_file else []
        variable = environment.get(KEYS_VARIABLE, "")
        keys += variable.split(",")
        self._digests = [_digest(key.strip()) for key in keys if key.strip()]
        if settings.api_keys_file and not self._digests:
            raise SettingsError(f"{settings.api_keys_file}: has no key; write one per line.")
        if variable and not self._digests:
            raise SettingsError(
                f"{KEYS_VARIABLE}: has no key; separate keys with commas, or unset it."
            )
        self._limit = _parse_limit(settings.rate_limit) if settings.rate_limit else None
        if self._limit or self._digests:
            self._limiter = _limiter(settings.rate_limit_storage)
        self._known: OrderedDict[tuple[str, bytes], None] = OrderedDict()

    @property
    def keyed(self) -> bool:
        """Whether keys are set."""
        return bool(self._digests)

    def knows(self, digest: bytes) -> bool:
        """Whether this is the SHA-256 digest of a valid key."""
        return digest in self._digests

    async def admit(self, call: Call) -> bytes:
        """Return the digest of a call's key; empty where no keys are set.

        Raises ApiError for a call without a valid key, or beyond its caller's limit.
        """
        if not self._digests and not self._limit:
            return b""
        address = network(call.client)
        digest = await self._checked_key(call, address) if self._digests else b""
        if self._limit:
            await self._count(_caller(digest, address), self._limit)
        return digest

    async def charge(self, call: Call, requests: int) -> None:
        """Count an admitted call as so many further requests. Raises ApiError beyond the limit."""
        if not self._limit:
            return
        most = self._limit.amount - 1  # the call itself has been counted
        if requests > most:
            raise invalid(
                f"The request counts as {requests + 1}, and the limit is {most + 1} requests per "
                f"{self._limit.get_expiry()} seconds."
            )
        await self._count(_caller(call.key, network(call.client)), self._limit, cost=requests)

    async def _count(
        self,
        caller: str,
        limit: RateLimitItem,
        of: str = "requests",
        count: bool = True,
        cost: int = 1,
    ) -> None:
        """Raise ApiError for a caller beyond the limit; count: or only look whether one is."""
        try:
            within = self._limiter.hit if count else self._limiter.test
            if await within(limit, caller, cost=cost):
                return
            window = await self._limiter.get_window_stats(limit, caller)
        except StorageError as error:
            LOG.error("callers cannot be counted: %s", type(error.storage_error).__name__)
            raise busy(503, "Callers cannot be counted; try again later.", 5) from None
        raise busy(
            429,
            f"Quota exceeded: {limit.amount} {of} per {limit.get_expiry()} seconds.",
            window.reset_time - time.time(),
        )

    async def _checked_key(self, call: Call, address: str) -> bytes:
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" else ""
        key = call.query.get("key") or call.headers.get("x-goog-api-key") or bearer
        if not key:
            raise ApiKeyError(403, NO_KEY)
        digest = _digest(key)
        # All digests are compared in full, so the time taken reveals nothing about the keys.
        valid = sum(hmac.compare_digest(digest, known) for known in self._digests)
        if not valid or (address, digest) not in self._known:
            # While many are wrong, a right one gets the same answer, unless this address has
            # used it before: a guess learns nothing, and nobody else is locked out.
            guesses = f"wrong keys of {address}"
            await self._count(guesses, WRONG_KEYS, "wrong API keys", count=not valid)
        if not valid:
            raise ApiKeyError(400, BAD_KEY, [BAD_KEY_DETAILS])
        self._known[address, digest] = None
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return digest


def network(address: str) -> str:
    """Return what one caller has at least: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _caller(key: bytes, address: str) -> str:
    """Return whom a rate limit counts: the store never sees a key."""
    return f"key {key.hex()[:16]}" if key else f"address {address}"


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _keys_in_file(path: str) -> list[str]:
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise SettingsError(f"--api-keys-file {path}: cannot be read ({reason}).") from None
    return [line.partition("#")[0] for line in lines]


def _parse_limit(limit: str) -> RateLimitItem:
    try:
        [parsed] = parse_many(limit)
    except ValueError:
        raise SettingsError(
            f"--rate-limit: {limit!r} is not a single limit; write it as 10/second or 600/minute."
        ) from None
    return parsed


def _limiter(storage: str) -> SlidingWindowCounterRateLimiter:
    try:
        # By default limits takes a Redis client whose newest versions it cannot use.
        options = {"implementation": "redispy"} if storage.startswith("redis") else {}
        counters = storage_from_string(f"async+{storage}", wrap_exceptions=True, **options)
        return SlidingWindowCounterRateLimiter(counters)  # type: ignore[arg-type]
    except (ConfigurationError, ImportError) as error:
        # A message about a missing package begins with its name. One about an unknown scheme
        # quotes the whole URL, which may contain a password.
        missing = re.match("'([^']+)' prerequisite", str(error))
        reason = (
            f"needs the package {missing[1]}; install it with pip"
            if missing
            else "is not a storage that the package limits supports; write it as redis://HOST"
        )
        scheme = storage.partition(":")[0]
        raise SettingsError(f"--rate-limit-storage: {scheme} {reason}.") from None
