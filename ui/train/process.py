"""The process of a run: python -m ui.train.process FOLDER NAME EARLIER MODULE ARGUMENT...

EARLIER: the seconds that the run took before it was interrupted; 0 for a new one.

It takes FOLDER/lock, writes FOLDER/state.json, and then is `python -m MODULE ARGUMENT...`. The
system releases the lock when the process ends, however it ends.
"""

import os
import runpy
import sys
import time
from pathlib import Path

from filelock import FileLock, Timeout

from comment_toxicity.disk import write_json

LOCK, STATE = "lock", "state.json"
SECONDS = 10.0  # somebody who only looks whether a run is in progress has the lock for an instant


def main() -> None:
    """Run the module in this process, under the lock."""
    folder, name, earlier, module, *arguments = sys.argv[1:]
    lock = FileLock(Path(folder) / LOCK, timeout=SECONDS)
    try:
        lock.acquire()
    except Timeout:
        sys.exit("error: Another training run is in progress.")
    state = {"name": name, "pid": os.getpid(), "started": time.time(), "earlier": float(earlier)}
    write_json(Path(folder) / STATE, state)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
