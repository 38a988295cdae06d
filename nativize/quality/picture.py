"""The perplexities of a corpus, drawn with the thresholds of its buckets."""

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nativize.quality.model import Buckets

log = logging.getLogger(__name__)


def draw_perplexities(perplexities: NDArray[np.float32], buckets: Buckets, path: Path) -> None:
    """A histogram as a PNG; skipped without matplotlib or without documents."""
    finite = perplexities[np.isfinite(perplexities) & (perplexities > 0)]
    if not len(finite):
        return
    try:
        from matplotlib.figure import Figure
    except ImportError:
        log.info("%s is not drawn: matplotlib is missing (pip install 'nativize[train]')", path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    # past the 99th percentile lie a few documents of noise that would flatten all others
    edges = np.geomspace(finite.min(), max(np.quantile(finite, 0.99), finite.min() * 1.01), 80)
    axes.hist(np.minimum(finite, edges[-1]), bins=edges.tolist())
    axes.axvline(buckets.head, color="tab:green", linestyle="--", label="head up to here")
    axes.axvline(buckets.middle, color="tab:red", linestyle="--", label="tail from here")
    axes.set_xscale("log")
    axes.set_xlabel(f"perplexity per {buckets.unit.removesuffix('s')}")
    axes.set_ylabel("documents")
    axes.legend()
    figure.savefig(path, metadata={"Software": None})
