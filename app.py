"""What `streamlit run app.py` serves on one port: the page, and the HTTP routes beside it.

The script that runs for each visitor is ui/navigation.py.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NoReturn

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from comment_toxicity.cache import shared_models
from comment_toxicity.errors import UserError
from comment_toxicity.service.connections import bound_every_server
from comment_toxicity.service.routes import lifespan, routes
from comment_toxicity.service.server import drain_at_sigterm, reload_at_sighup
from comment_toxicity.service.service import Service
from comment_toxicity.service.settings import ServiceSettings
from comment_toxicity.service.watchdog import feed_watchdog
from ui import corrections, downloads
from ui.guard import Guard
from ui.messages import show_failure
from ui.settings import PageSettings
from ui.visitors import tidy_up
from ui.workspace import end_workspaces


def give_up(error: UserError) -> NoReturn:
    """Print the error on one line, and exit at once."""
    print(f"error: {error}", file=sys.stderr, flush=True)
    os._exit(error.exit_code)  # raised while the server starts, it would be shown as a traceback


try:
    SETTINGS = ServiceSettings.read().on(st.get_option("server.address") or "")
    SERVICE = Service(SETTINGS, load=lambda name: shared_models().get(name))
    PAGE = PageSettings.read()
except UserError as error:  # an environment variable that cannot be understood
    give_up(error)

bound_every_server()
corrections.keep_in(SERVICE.corrections)

# Every HTTP route beside the page. /_stcore, /media, /component and /static are Streamlit's own.
ROUTES: list[BaseRoute] = [downloads.route(), *routes(SERVICE, downloads.base_path())]


@asynccontextmanager
async def running(server: st.App) -> AsyncIterator[None]:
    """Start the service with the server; at its end stop it, and remove what visitors uploaded."""
    async with AsyncExitStack() as until_stopped:
        try:
            await until_stopped.enter_async_context(lifespan(SERVICE)(server))
            drain_at_sigterm(SERVICE)
            reload_at_sighup(SERVICE)
        except UserError as error:  # a model or a database that cannot be used
            give_up(error)
        for work in (tidy_up(), feed_watchdog()):
            until_stopped.callback(asyncio.create_task(work).cancel)
        # uvicorn ends by the signal that stopped it, and then nothing is run at exit.
        until_stopped.callback(end_workspaces)
        yield


app = st.App(
    Path(__file__).parent / "ui" / "navigation.py",
    routes=ROUTES,
    lifespan=running,
    middleware=[
        Middleware(
            Guard,
            hosts=SETTINGS.allowed_hosts,
            origins=[SETTINGS.public_url.rstrip("/")] if SETTINGS.public_url else [],
            framed=PAGE.public,
        )
    ],
    on_script_error=show_failure,
)
