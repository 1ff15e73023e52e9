"""Metrics for Prometheus: requests, their duration, and the waiting time. No texts, no keys.

Of several workers, each writes its metrics to a folder, and the one that is asked adds them up.
`serve` sets PROMETHEUS_MULTIPROC_DIR to the folder before the workers import this module.
"""

import os
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from comment_toxicity.service.calls import Answer
from comment_toxicity.service.settings import METRICS_FOLDER

BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 10.0)  # Coral gives up at 0.8


class Metrics:
    """The metrics of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "toxicity_requests",
            "Requests answered, by endpoint and HTTP status",
            ["endpoint", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "toxicity_request_seconds",
            "Time from a request's last byte to its answer",
            ["endpoint"],
            buckets=BUCKETS,
            registry=self._registry,
        )
        self.texts = Counter(
            "toxicity_texts_scored", "Texts that the model read", registry=self._registry
        )
        self.shared = Counter(
            "toxicity_texts_shared",
            "Texts not read because the same text was being read for another request",
            registry=self._registry,
        )
        self.waiting = Gauge(
            "toxicity_waiting_seconds",
            "How long a new text would wait before it is scored",
            registry=self._registry,
            multiprocess_mode="livemax",
        )

        self.decisions = Counter(
            "toxicity_decisions",
            "Lines of the decision log, by whether they were written or lost",
            ["result"],
            registry=self._registry,
        )

    def answered(self, endpoint: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self._requests.labels(endpoint, status).inc()
        self._seconds.labels(endpoint).observe(seconds)

    def page(self) -> Answer:
        """Return all metrics in Prometheus's text format."""
        registry = self._registry
        if os.environ.get(METRICS_FOLDER):
            registry = CollectorRegistry()
            _forget_dead_workers(Path(os.environ[METRICS_FOLDER]))
            MultiProcessCollector(registry)
        return Answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)


def _forget_dead_workers(folder: Path) -> None:
    """Drop the waiting time of workers that have ended; their counts remain."""
    for file in folder.glob("gauge_livemax_*.db"):
        process = int(file.stem.rpartition("_")[2])
        try:
            os.kill(process, 0)  # sends nothing
        except ProcessLookupError:
            mark_process_dead(process, str(folder))
