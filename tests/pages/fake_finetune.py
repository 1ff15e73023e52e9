"""Stands in for finetune: writes progress and a curve, and waits for a file called "go"."""

import sys
import time
import tomllib
from pathlib import Path

from comment_toxicity.errors import ModelError
from finetune import progress


def main() -> None:
    settings = tomllib.loads(Path(sys.argv[sys.argv.index("--config") + 1]).read_text())
    run = Path(settings["output_dir"])
    if settings["base_model"] == "refused":
        sys.exit("error: the settings are *wrong*.")
    run.mkdir(parents=True, exist_ok=True)
    with progress.of_run(run):
        line = '{"loss": 0.5, "epoch": 1.0}\n{"eval_roc_auc_mean": 0.7, "epoch": 1.0}\n'
        (run / "curves.jsonl").write_text(line)
        print("Loading weights: 100%|  | 103/103 [00:00<?]", flush=True)
        print("\x1b[1mNote\x1b[0m: split in", run / "split", flush=True)
        progress.update(run, stage="train", step=6, steps=12, epoch=2, epochs=3, seconds_left=100.0)
        while not (run.parent / "go").exists():
            time.sleep(0.02)
        if settings["base_model"] == "nonsense":
            raise ModelError("nonsense: no such model *here*.")
        (run / "model").mkdir(exist_ok=True)
        (run / "model" / "README.md").write_text("# card")
        print("The model is in", run / "model")


if __name__ == "__main__":
    main()
