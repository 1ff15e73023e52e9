"""Scores over HTTP: in the wire formats of Perspective and OpenAI, and in one of our own.

    python -m comment_toxicity serve --port 8080

starts it by itself. On the port of a Streamlit page:

    from comment_toxicity.service.routes import lifespan, routes
    from comment_toxicity.service.service import Service
    from comment_toxicity.service.settings import ServiceSettings

    service = Service(ServiceSettings.read())
    app = st.App("page.py", routes=routes(service), lifespan=lifespan(service))

A request passes through routes (HTTP) → service (keys, limits, errors) → the handler that
endpoints names for its address (perspective, v1, openai or batch) → batching → Classifier.score.
"""
