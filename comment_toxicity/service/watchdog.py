"""Tells systemd that the event loop still turns; WatchdogSec restarts a server where it does not.

Of the protocol of sd_notify(3), only the message that a watchdog waits for is spoken.
"""

import asyncio
import os
import socket
from contextlib import suppress


async def feed_watchdog() -> None:
    """Report to systemd, twice as often as it asks for; return at once where it does not ask."""
    address, interval = os.environ.get("NOTIFY_SOCKET"), os.environ.get("WATCHDOG_USEC")
    if not address or not interval:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # of Linux's abstract namespace
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as messages:
        messages.setblocking(False)
        while True:
            with suppress(OSError):  # the next message is soon enough
                messages.sendto(b"WATCHDOG=1", address)
            await asyncio.sleep(int(interval) / 2_000_000)
