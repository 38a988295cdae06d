"""The learning rate at every step."""

import itertools

import pytest

from nativize.train.schedule import rate_share
from tests.model.tiny import stage


def shares(schedule: str, **settings: object) -> list[float]:
    training = stage("full", steps=100, schedule=schedule, **{"warmup_share": 0.1, **settings})
    return [rate_share(training, step) for step in range(1, 101)]


@pytest.mark.parametrize("schedule", ["cosine", "constant", "wsd"])
def test_all_warm_up_linearly_to_the_whole_rate(schedule: str) -> None:
    rates = shares(schedule)
    assert rates[:10] == pytest.approx([step / 10 for step in range(1, 11)])


def test_cosine_falls_to_the_final_share_and_is_half_way_in_the_middle() -> None:
    rates = shares("cosine", final_rate_share=0.2)
    assert rates[54] == pytest.approx(0.6)
    assert rates[-1] == pytest.approx(0.2)
    assert all(a >= b for a, b in itertools.pairwise(rates[9:]))


def test_constant_stays() -> None:
    assert set(shares("constant")[9:]) == {1.0}


def test_wsd_is_stable_until_its_decay_and_falls_linearly() -> None:
    rates = shares("wsd", decay_share=0.2, final_rate_share=0.0)
    assert set(rates[9:80]) == {1.0}
    assert rates[79:] == pytest.approx([(100 - step) / 20 for step in range(80, 101)])


def test_without_warmup_the_first_step_has_the_whole_rate() -> None:
    assert shares("constant", warmup_share=0.0)[0] == 1.0
