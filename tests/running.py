"""Commands that tests run as a person would, from the repository's root."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run(*command, cwd=ROOT, **environment):
    """Run a command and give its exit code and output, as text."""
    return subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
