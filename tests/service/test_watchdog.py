"""What the server tells systemd while its event loop turns."""

import asyncio
import socket
import time
from contextlib import suppress

import pytest

from comment_toxicity.service.watchdog import feed_watchdog


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    """The socket of systemd, which asks for a message every 0.1 s."""
    address = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.setenv("WATCHDOG_USEC", "100000")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address)
        listening.setblocking(False)
        yield listening


async def fed_while(work):
    feeding = asyncio.create_task(feed_watchdog())
    await work
    feeding.cancel()
    with suppress(asyncio.CancelledError):
        await feeding


def test_a_turning_loop_reports_again_and_again(systemd):
    async def three_messages():
        loop = asyncio.get_running_loop()
        return [await loop.sock_recv(systemd, 100) for _ in range(3)]

    async def run():
        receiving = asyncio.create_task(three_messages())
        await asyncio.wait_for(fed_while(receiving), 60)
        assert set(receiving.result()) == {b"WATCHDOG=1"}

    asyncio.run(run())


def test_a_frozen_loop_does_not(systemd):
    async def frozen():
        await asyncio.sleep(0)  # the first message
        time.sleep(0.3)

    asyncio.run(fed_while(frozen()))
    assert systemd.recv(100) == b"WATCHDOG=1"
    with pytest.raises(BlockingIOError):
        systemd.recv(100)


def test_without_systemd_nothing_is_sent(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    asyncio.run(asyncio.wait_for(feed_watchdog(), 1))
