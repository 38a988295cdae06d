"""Training as a plain program: `python -m nativize.train job.json`.

A job in, checkpoints, `metrics.jsonl` and a final record out; it knows nothing of the graph.
Importing this package needs no torch; `nativize.train.run` does.
"""

from nativize.train.job import Job, read_job
from nativize.train.launch import run_here

__all__ = ["Job", "read_job", "run_here"]
