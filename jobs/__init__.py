"""Jobs, the nightly schedule and the sensor: when the graph walks; what is stale it knows."""

from jobs.refresh import nightly_schedule
from jobs.retrain import retrain_sensor
from jobs.walks import CORPUS_REFRESH, WHOLE_ROAD

__all__ = ["CORPUS_REFRESH", "WHOLE_ROAD", "nightly_schedule", "retrain_sensor"]
