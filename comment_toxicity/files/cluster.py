"""Many files on a Ray cluster: a task with one CPU and one thread for each file.

Tasks, and not a pool of actors: Ray gives them to whatever node has a free CPU, also one that
joined later, and starts those of a lost node elsewhere. A process keeps its model from one task to
the next. A task reads its own file, so no CPU has to be left for reading.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from comment_toxicity.batch import loaded
from comment_toxicity.classifier import Classifier, SentModel
from comment_toxicity.cpu import checked_threads
from comment_toxicity.errors import DataError, ModelError, SettingsError
from comment_toxicity.extras import needed_for
from comment_toxicity.files.many import (
    Done,
    Job,
    Options,
    Totals,
    model_record,
    report,
    score_job,
)
from comment_toxicity.files.score import progress_bar
from comment_toxicity.routing import Models, SentModels

ATTEMPTS = 5  # of a file whose node or process is lost
QUEUED_PER_CPU = 2  # tasks; so that Ray's queue, and a lost driver, hold few
WAITED_SECONDS = 10  # for the next file, before the state of the cluster is looked at


def run_on_ray(
    classifier: Classifier | Models,
    jobs: Sequence[Job],
    options: Options,
    tell: Callable[[str], object],
    address: str | None = None,
    cpus: int | None = None,
) -> Totals:
    """Score files as many.run() does, on all CPUs of a Ray cluster.

    classifier: a model, or several; each node loads its own, with the same weights and thresholds.
    address: of the cluster; None takes RAY_ADDRESS, or else starts one on this machine, with
        `cpus` CPUs (default: its cores).
    The machines need this package, the same paths or s3://, and their own credentials.
    Raises SettingsError where there is no such cluster, or it has no CPU; ModelError where a node
    has another model.
    """
    with needed_for("--ray", "comment-toxicity[ray]", SettingsError):
        import ray
    model = classifier.sent(threads=1)
    record = model_record(classifier)
    waiting = sorted(jobs, key=lambda job: job.found.size)  # the largest first, from the end
    running: dict[Any, Job] = {}
    totals = Totals()
    with _connected(address, checked_threads(cpus)), progress_bar(unit=" rows") as bar:
        found, free = _cpus(), _free_cpus()
        if not found:
            raise SettingsError(
                "the Ray cluster has no CPU for scoring; add a node that has, or give its head "
                "some with --num-cpus."
            )
        score = ray.remote(num_cpus=1, max_retries=ATTEMPTS - 1)(_score)

        def told(sentence: str) -> None:
            bar.clear()
            tell(sentence)

        if not free:
            told("All CPUs of the Ray cluster are busy; the files wait until one is free.")
        while waiting or running:
            while waiting and len(running) < QUEUED_PER_CPU * max(found, 1):
                job = waiting.pop()
                running[score.remote(model, record, job, options)] = job
            finished = len(jobs) - len(waiting) - len(running)
            bar.set_description(f"{finished}/{len(jobs)} files, {found} CPUs")
            ready, _ = ray.wait(list(running), timeout=WAITED_SECONDS)
            before, found = found, _cpus()  # nodes come and go
            if before and not found:
                told("The Ray cluster has lost its last CPU; the files wait for a node.")
            for task in ready:
                job = running.pop(task)
                outcome = _outcome(task)
                if isinstance(outcome, ModelError):
                    raise outcome
                report(job, outcome, totals, told)
                bar.update(getattr(outcome, "rows", 0))
        bar.set_description(f"{len(jobs)}/{len(jobs)} files")
    return totals


def _score(
    model: SentModel | SentModels, record: dict[str, Any], job: Job, options: Options
) -> Done | DataError | ModelError:
    """Score a file on a node. Errors that a user can fix are returned: Ray would wrap them."""
    for variable in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS"):  # a process for each CPU
        os.environ[variable] = "1"
    try:
        return score_job(loaded(model), record, job, options)
    except (DataError, ModelError) as error:
        return type(error)(str(error))
    except OSError as error:
        return DataError(f"{job}: {error.strerror or error}")


def _outcome(task: Any) -> Done | Exception:
    import ray

    try:
        return ray.get(task)
    except ray.exceptions.RayTaskError as error:
        reason = str(error).strip().splitlines()[-1]
        return DataError(f"failed on a node ({reason}); is the same version installed there?")
    except ray.exceptions.RayError as error:
        reason = str(error).strip().splitlines()[0]
        return DataError(f"its node or process was lost {ATTEMPTS} times ({reason})")


def _cpus() -> int:
    import ray

    return int(ray.cluster_resources().get("CPU", 0))


def _free_cpus() -> int:
    import ray

    return int(ray.available_resources().get("CPU", 0))


@contextmanager
def _connected(address: str | None, cpus: int) -> Iterator[None]:
    """A connection to a cluster. SettingsError where none answers."""
    import ray

    # Else Ray reports the use of a cluster that it starts to its makers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    address = address or os.environ.get("RAY_ADDRESS")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if address:
            ray.init(address=address, **quiet)
        else:
            ray.init(address="local", num_cpus=cpus, include_dashboard=False, **quiet)
    except (ray.exceptions.RayError, OSError, RuntimeError, ValueError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise SettingsError(
            f"--ray {address or ''}: no cluster answers ({reason.split('. ')[0].rstrip('.')}); "
            "give its address as HOST:PORT, with RAY_AUTH_MODE and the token as there, or none to "
            "use this machine."
        ) from error
    try:
        yield
    finally:
        with suppress(KeyboardInterrupt):
            ray.shutdown()
