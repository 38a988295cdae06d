"""The trainer's process under Pipes: the plain trainer, its figures sent to the step.

Only this file knows both sides; `python -m nativize.train job.json` is the same without Dagster.
"""

import sys

from dagster_pipes import open_dagster_pipes

from nativize.train.__main__ import main

if __name__ == "__main__":
    with open_dagster_pipes() as pipes:
        code = main(on_log=pipes.report_custom_message)
    sys.exit(code)
