"""What the server tells systemd while its event loop turns."""

import asyncio
import socket
import time
from contextlib import suppress

from comment_toxicity.service.watchdog import feed_watchdog


def messages_while(work, tmp_path, monkeypatch):
    """What systemd receives in this work, if it asks for a message every 0.1 s."""
    address = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.setenv("WATCHDOG_USEC", "100000")

    async def run():
        feeding = asyncio.create_task(feed_watchdog())
        await work()
        feeding.cancel()
        with suppress(asyncio.CancelledError):
            await feeding

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address)
        systemd.setblocking(False)
        asyncio.run(run())
        received = []
        with suppress(BlockingIOError):
            while True:
                received.append(systemd.recv(100))
    return received


def test_a_turning_loop_reports(tmp_path, monkeypatch):
    received = messages_while(lambda: asyncio.sleep(0.3), tmp_path, monkeypatch)
    assert set(received) == {b"WATCHDOG=1"}
    assert len(received) >= 3


def test_a_frozen_loop_does_not(tmp_path, monkeypatch):
    async def frozen():
        await asyncio.sleep(0)  # the first message
        time.sleep(0.3)

    assert len(messages_while(frozen, tmp_path, monkeypatch)) == 1


def test_without_systemd_nothing_is_sent(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    asyncio.run(asyncio.wait_for(feed_watchdog(), 1))
