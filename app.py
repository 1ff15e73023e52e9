"""What `streamlit run app.py` serves, on one port: the page, and the HTTP routes beside it.

The script that runs for each visitor is ui/navigation.py.
"""

import sys
from pathlib import Path

import streamlit as st
from starlette.routing import BaseRoute

from classifier.cache import shared_models
from classifier.errors import EXIT_CODE, UserError
from classifier.service.app import lifespan, routes
from classifier.service.core import Service
from classifier.service.settings import ServiceSettings
from ui import downloads
from ui.navigation import tell_failure

try:
    SERVICE = Service(ServiceSettings.read(), load=lambda name: shared_models().get(name))
except UserError as error:  # an environment variable that cannot be understood
    print(f"error: {error}", file=sys.stderr)
    raise SystemExit(EXIT_CODE) from None

# Every HTTP route beside the page. /_stcore, /media, /component and /static are Streamlit's own.
ROUTES: list[BaseRoute] = [downloads.route(), *routes(SERVICE)]

app = st.App(
    Path(__file__).parent / "ui" / "navigation.py",
    routes=ROUTES,
    lifespan=lifespan(SERVICE),
    on_script_error=tell_failure,
)
