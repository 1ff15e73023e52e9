"""Where this checkout is: its data files, and the folder in which its commands run."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
