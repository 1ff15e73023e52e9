# The page in a container, with the embedded models: once built, it needs no network.
#   docker build --tag comment-toxicity . && docker run --rm --publish 127.0.0.1:8501:8501 comment-toxicity
#   docker build --target slim --tag comment-toxicity:slim .      without torch, for the embedded models

FROM python:3.11-slim-bookworm AS install
# `make install` knows the index of torch without CUDA. Debian has one version of make: no pin.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends make
WORKDIR /app
COPY Makefile requirements.txt ./
# The venv is outside /app, so that a checkout mounted there (compose.yaml) does not hide it.
# TORCH_INDEX= takes torch with CUDA.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN PIP_NO_CACHE_DIR=1 make install VENV=/venv TORCH_INDEX=$TORCH_INDEX \
    && /venv/bin/python -m pip uninstall --yes pip

FROM python:3.11-slim-bookworm AS install-slim
WORKDIR /app
COPY requirements-slim.txt ./
RUN python -m venv /venv \
    && /venv/bin/python -m pip install --no-cache-dir --requirement requirements-slim.txt \
    && /venv/bin/python -m pip uninstall --yes pip

FROM python:3.11-slim-bookworm AS page
# Hugging Face Spaces run a container as user 1000. Streamlit does not run from /.
WORKDIR /app
RUN useradd --create-home --uid 1000 user \
    && install --directory --owner=user runs ~user/.cache ~user/.cache/huggingface
USER 1000
# HF_HOME: where models picked from the Hub are kept. TOXICITY_PUBLIC: who can reach the port can
# neither train nor load typed-in models nor publish, unless the container is run with 0.
ENV PATH=/venv/bin:$PATH \
    HF_HOME=/home/user/.cache/huggingface \
    PYTHONUNBUFFERED=1 \
    TOXICITY_PUBLIC=1
# The page; and 8080 where the command is: python -m comment_toxicity serve --host 0.0.0.0
EXPOSE 8501 8080
HEALTHCHECK --start-period=30s CMD ["deploy/healthcheck"]
ENTRYPOINT ["deploy/entrypoint"]
CMD ["python", "-m", "streamlit", "run", "app.py", "--server.address=0.0.0.0", "--server.port=8501"]

FROM page AS slim
COPY --from=install-slim /venv /venv
COPY . .

# The last stage is what a build without --target makes, and what a Space runs.
FROM page AS full
COPY --from=install /venv /venv
COPY . .
