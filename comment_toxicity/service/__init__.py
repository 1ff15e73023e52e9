"""Scores over HTTP: in the wire format of Google's Perspective API, and in one of our own.

    python -m comment_toxicity serve --port 8080

starts it by itself. On the port of a Streamlit page:

    from comment_toxicity.service.routes import lifespan, routes
    from comment_toxicity.service.service import Service
    from comment_toxicity.service.settings import ServiceSettings

    service = Service(ServiceSettings.read())
    app = st.App("page.py", routes=routes(service), lifespan=lifespan(service))

A request's way: app → core (gate, refusals) → perspective | native | batch, with
bodies, fields, requests, languages, spans → gather → Classifier.score.
"""
