"""The trainer's process under Pipes: the plain trainer, its figures sent to the step's log.

Only this file knows both sides. `python -m nativize.train job.json` is the same without Dagster.
"""

import sys
from pathlib import Path
from typing import Any

from dagster_pipes import open_dagster_pipes

from nativize.train.__main__ import run


def main() -> int:
    """Run the job named on the command line; the exit code is the trainer's."""
    with open_dagster_pipes() as pipes:

        def say(entry: dict[str, Any]) -> None:
            pipes.log.info(
                "step {step} of {steps}: loss {loss:.4f}, {tokens_per_second:.0f} tokens/s".format(
                    **entry
                )
            )

        return run(Path(sys.argv[1]), on_log=say)


if __name__ == "__main__":
    sys.exit(main())
