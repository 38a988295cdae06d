"""Bands joined by the exchange of an engine: run_exchange.py keys.npy PEER.

``keys.npy`` has for each document a row of bands, 64 bits each; asked is how many groups of two or
more documents share one. Daft groups by key; Ray sorts by key, which is its way to bring rows to
whoever owns a key. Seconds are those of the clock on one core, for both are several processes.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import measure
import numpy as np
import pyarrow as pa


def daft(table: pa.Table) -> int:
    import daft

    grouped = daft.from_arrow(table).groupby("key").agg(daft.col("document").list_agg())
    lengths = grouped.to_arrow()["document"].combine_chunks().value_lengths()
    return int((np.asarray(lengths) > 1).sum())


def ray_data(table: pa.Table) -> int:
    import ray

    with tempfile.TemporaryDirectory() as directory:
        ray.init(
            num_cpus=1, include_dashboard=False, logging_level="ERROR", log_to_driver=False,
            _temp_dir=directory,
        )  # fmt: skip
        keys = sorted_keys(ray, table)
        ray.shutdown()
    equal = np.append(False, keys[1:] == keys[:-1])
    return int((equal[1:] & ~equal[:-1]).sum())


def sorted_keys(ray: Any, table: pa.Table) -> "np.ndarray[Any, Any]":
    ray.data.DataContext.get_current().enable_progress_bars = False
    parts = 16
    size = -(-len(table) // parts)
    blocks = [table.slice(part * size, size) for part in range(parts)]
    batches = ray.data.from_arrow(blocks).sort("key").iter_batches(batch_format="numpy")
    return np.concatenate([batch["key"] for batch in batches])


PEERS: dict[str, Callable[[pa.Table], int]] = {"daft": daft, "ray-data": ray_data}


def table_of(keys: "np.ndarray[Any, Any]") -> pa.Table:
    documents = np.repeat(np.arange(len(keys), dtype=np.uint32), keys.shape[1])
    return pa.table({"key": keys.ravel(), "document": documents})


def main(path: str, peer: str) -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    # without the second Ray would leave a token in the user's home
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    table = table_of(np.load(path))
    started = time.perf_counter()
    groups = PEERS[peer](table)
    measure.answer({"seconds": time.perf_counter() - started, "groups": groups})


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
