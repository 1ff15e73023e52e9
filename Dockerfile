# The page in a container, with the embedded model: once built, it needs no network.
#   docker build --tag comment-toxicity . && docker run --rm --publish 8501:8501 comment-toxicity

FROM python:3.11-slim-bookworm AS install
RUN apt-get update && apt-get install --yes --no-install-recommends make
WORKDIR /app
COPY Makefile requirements.txt ./
RUN PIP_NO_CACHE_DIR=1 make install

FROM python:3.11-slim-bookworm
# Hugging Face Spaces run a container as user 1000.
RUN useradd --create-home --uid 1000 user
WORKDIR /app
COPY --from=install /app/.venv .venv
COPY . .
USER user
# HF_HOME: where models picked from the Hub are kept; the user must be able to write there.
ENV PATH=/app/.venv/bin:$PATH \
    HF_HOME=/home/user/.cache/huggingface \
    PYTHONUNBUFFERED=1
EXPOSE 8501
HEALTHCHECK --start-period=30s \
  CMD ["python", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=3)"]
CMD ["python", "-m", "streamlit", "run", "app.py", "--server.address=0.0.0.0", "--server.port=8501"]
