"""The trainer as a process of its own, reporting through Dagster Pipes.

`PipesSubprocessClient` interrupts only its direct child and never kills, which leaves hung
workers on the GPU. The launcher of `nativize.train` leads a process group instead and ends all
of it with whatever ends the step; this file adds the session and the live curve.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dagster import (
    AssetExecutionContext,
    AssetObservation,
    PipesEnvContextInjector,
    PipesSession,
    PipesTempFileMessageReader,
    open_pipes_session,
)

from nativize.train import run_here
from resources.home import PROJECT

OBSERVE_SECONDS = 5.0
"""Between two points of the live loss curve; every observation is a row in the event log."""


@dataclass(frozen=True)
class PipesTrainer:
    """Launches the trainer for a step; a machine without a GPU trains by the same road."""

    def launcher(self, context: AssetExecutionContext) -> Callable[[Path], None]:
        """A function that runs one training job to its end, reporting to this step."""
        return lambda job: _run(context, job)


def _run(context: AssetExecutionContext, job: Path) -> None:
    injector, reader = PipesEnvContextInjector(), PipesTempFileMessageReader()
    with open_pipes_session(context, injector, reader) as session, _live_curve(context, session):
        run_here(
            job,
            module="resources.training_process",
            environment={**session.get_bootstrap_env_vars(), "PYTHONPATH": str(PROJECT)},
        )


@contextmanager
def _live_curve(context: AssetExecutionContext, session: PipesSession) -> Iterator[None]:
    """The newest figures as an observation every few seconds; the UI's Plots tab draws them."""
    stop = threading.Event()
    thread = threading.Thread(target=_observe, args=(context, session, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _observe(context: AssetExecutionContext, session: PipesSession, stop: threading.Event) -> None:
    shown = 0
    while True:
        ended = stop.wait(OBSERVE_SECONDS)
        entries = session.get_custom_messages()
        if len(entries) > shown:
            shown = len(entries)
            observation = AssetObservation(asset_key=context.asset_key, metadata=entries[-1])
            context.log_event(observation)
        if ended:
            return
