"""The learning rate of a step: a pure function, so that a resumed training has the same one."""

import math

from nativize.recipe import TrainStage


def rate_share(stage: TrainStage, step: int) -> float:
    """The share of the learning rate at a step, 0 to 1.

    Every schedule warms up linearly over ``warmup_share`` of the steps. Then: cosine falls to
    ``final_rate_share`` (Loshchilov and Hutter 2017); constant stays; wsd stays, and falls
    linearly over the last ``decay_share`` of the steps (Hu et al. 2024, MiniCPM; Hägele et al.
    2024). A stage that follows another warms up anew.

    Args:
        stage: the training.
        step: 1 to ``stage.steps``.
    """
    warmup = math.ceil(stage.warmup_share * stage.steps)
    if step <= warmup:
        return step / warmup
    floor = stage.final_rate_share
    match stage.schedule:
        case "cosine":
            done = (step - warmup) / (stage.steps - warmup)
            return floor + (1 - floor) * (1 + math.cos(math.pi * done)) / 2
        case "wsd":
            decay = math.floor(stage.decay_share * stage.steps)
            left = stage.steps - step
            return 1.0 if left >= decay else floor + (1 - floor) * left / decay
        case "constant":
            return 1.0
