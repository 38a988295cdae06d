"""The trainer's process under Pipes: the plain trainer, its figures sent to the step.

Only this file knows both sides; `python -m nativize.train job.json` is the same without Dagster.
Of a training's processes the one that writes the log opens the pipe, at its first line.
"""

import sys
from typing import Any

from dagster_pipes import PipesContext, open_dagster_pipes

from nativize.train.__main__ import main


def report(line: dict[str, Any]) -> None:
    """Send a line of the log to the step."""
    pipes = PipesContext.get() if PipesContext.is_initialized() else open_dagster_pipes()
    pipes.report_custom_message(line)


if __name__ == "__main__":
    code = main(on_log=report, module="resources.training_process")
    if PipesContext.is_initialized():
        PipesContext.get().close()
    sys.exit(code)
