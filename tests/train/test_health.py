"""What a sick training is stopped for."""

import math
import subprocess
import sys

import pytest

from nativize.errors import TrainingError
from nativize.train.health import HISTORY, HUNG, OVERFLOWS, PATIENCE, Health
from nativize.train.scale import FIRST, GROWTH_STEPS, LossScale

CALM = LossScale(False)


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_stops(loss: float) -> None:
    with pytest.raises(TrainingError, match="step 7: the loss is"):
        Health().judge_loss(7, loss, CALM)


def test_a_loss_of_exactly_zero_stops() -> None:
    with pytest.raises(TrainingError, match="step 7: the loss is exactly 0"):
        Health().judge_loss(7, 0.0, CALM)


def test_a_norm_a_thousand_times_the_usual_stops_when_it_stays() -> None:
    health = Health()
    for step in range(HISTORY):
        health.judge_norm(step, 1.0 + step % 3)
    for step in range(PATIENCE - 1):
        health.judge_norm(HISTORY + step, 5_000.0)
    with pytest.raises(TrainingError, match="usual were 2"):
        health.judge_norm(HISTORY + PATIENCE, 5_000.0)


def test_a_spike_that_passes_does_not_stop() -> None:
    health = Health()
    for step in range(1, 500):
        health.judge_norm(step, 5_000.0 if step % 50 == 0 else 1.0)


def test_a_first_norm_is_never_too_large() -> None:
    Health().judge_norm(1, 1e9)


def test_fp16_overflows_halve_the_scale_and_a_streak_of_them_stops() -> None:
    health, scale = Health(), LossScale(True)
    for step in range(OVERFLOWS):
        health.judge_loss(step, 1.0, scale)
        assert not scale.update(math.inf)
    assert scale.value == 1.0 == max(FIRST / 2**OVERFLOWS, 1.0)
    with pytest.raises(TrainingError, match="20 fp16 overflows in a row"):
        health.judge_loss(OVERFLOWS, 1.0, scale)


def test_the_scale_grows_in_calm_and_comes_back_from_a_checkpoint() -> None:
    scale = LossScale(True)
    for _ in range(GROWTH_STEPS):
        assert scale.update(1.0)
    assert scale.value == 2 * FIRST
    scale.update(math.inf)
    again = LossScale(True)
    again.load(scale.state())
    assert again.state() == scale.state()


def test_a_process_that_hangs_ends_itself_and_shows_where_it_hung() -> None:
    code = (
        "import time; from nativize.train.health import HangGuard\n"
        "guard = HangGuard(0.5); guard.beat(3); time.sleep(60)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=50)
    assert ended.returncode == HUNG
    said = ended.stderr.decode()
    assert "after step 3" in said and "hang_seconds" in said
    assert "<string>" in said  # the stack
