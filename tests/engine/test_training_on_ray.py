"""A training on the two nodes of a Ray cluster, ended midway and taken up again."""

from pathlib import Path

import pytest

from nativize.errors import TrainingError
from nativize.recipe import Trainer
from nativize.train import run_here
from nativize.train.on_ray import run_on_ray
from nativize.train.run import run_job
from tests.engine.conftest import Cluster, free_port
from tests.model.tiny import make_tiny, stage
from tests.train.compared import ENDING_SECONDS, assert_same_training, processes, start, wait_for
from tests.train.test_nodes import SAVING, two_nodes
from tests.train.test_run_job import written_job


def test_two_nodes_of_ray_go_on_where_a_killed_launcher_left_them(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    tiny = make_tiny(tmp_path / "tiny")
    training = stage("full", steps=60)
    whole = run_job(written_job(tiny, tmp_path / "one", training, trainer=SAVING))
    job = written_job(tiny, tmp_path / "two", training, trainer=two_nodes(tmp_path, "ray"))
    leader = start(job)
    wait_for(lambda: list((tmp_path / "two" / "work").glob("checkpoint-*")), 120, job)
    leader.kill()
    leader.wait()
    wait_for(lambda: not processes(job), ENDING_SECONDS, job)
    assert not (tmp_path / "two" / "out").exists()
    run_here(job)
    assert_same_training(tmp_path / "two" / "out", whole)


def test_a_part_that_fails_ends_the_training_with_its_last_words(
    cluster: Cluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    trainer = Trainer(launcher="ray", nodes=2, device="cpu")
    assert run_on_ray(trainer, tmp_path / "job.json", "no_such_trainer") == 1
    assert "No module named no_such_trainer" in capsys.readouterr().err


def test_no_cluster_is_an_error_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{free_port()}")
    with pytest.raises(TrainingError, match="no Ray cluster answers at 127"):
        run_on_ray(Trainer(launcher="ray"), tmp_path / "job.json", "nativize.train")
