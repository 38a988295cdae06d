"""What each training changes, and what it refuses."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
import torch
from safetensors.torch import load_file

from nativize.artifact import standalone
from nativize.errors import TrainingError
from nativize.model.overlay import load_with_overlays
from nativize.train.job import Job, read_job
from nativize.train.metrics import read_metrics
from nativize.train.run import run_job
from tests.model.tiny import Tiny, stage


def trained_names(out: Path) -> set[str]:
    return set(load_file(out / "trained.safetensors"))


def test_embeddings_trains_embedding_and_head_and_nothing_else(tiny: Tiny, tmp_path: Path) -> None:
    out = tiny.train(tmp_path / "out", stage("embeddings"))
    assert trained_names(out) == {"model.embed_tokens.weight", "lm_head.weight"}


def test_freeze_trains_the_last_layers_alone(tiny: Tiny, tmp_path: Path) -> None:
    out = tiny.train(tmp_path / "out", stage("freeze", train_last_layers=1))
    assert {name.split(".")[2] for name in trained_names(out)} == {"1"}


def test_full_trains_every_tensor(tiny: Tiny, tmp_path: Path) -> None:
    out = tiny.train(tmp_path / "out", stage("full"))
    assert trained_names(out) == set(load_file(tiny.extended / "model.safetensors"))


def test_the_loss_falls_and_every_logged_step_is_a_line(tiny: Tiny, tmp_path: Path) -> None:
    out = tiny.train(tmp_path / "out", stage("full", steps=12, learning_rate=1e-2))
    lines = read_metrics(out / "metrics.jsonl")
    assert [line["step"] for line in lines] == list(range(1, 13))
    assert lines[-1]["loss"] < lines[0]["loss"] - 0.5
    assert lines[-1]["tokens"] == 12 * 4 * 32


def test_the_micro_batch_changes_no_gradient(tiny: Tiny, tmp_path: Path) -> None:
    """Accumulated over 4, 2 or 1 passes the loss is the same but for float32 rounding."""
    last = []
    for size in (1, 3, 4):  # 3 does not divide the batch of 4: two passes of 2
        job = written_job(
            tiny, tmp_path / str(size), stage("full"), trainer={"micro_batch_samples": size}
        )
        run_job(job)
        last.append(read_metrics(tmp_path / str(size) / "out" / "metrics.jsonl")[-1]["loss"])
    assert last == pytest.approx([last[0]] * 3, abs=1e-4)


def test_a_later_stage_starts_from_what_the_earlier_one_trained(tiny: Tiny, tmp_path: Path) -> None:
    first = tiny.train(tmp_path / "first", stage("embeddings", learning_rate=0.05))
    second = tiny.train(tmp_path / "second", stage("freeze", learning_rate=1e-9), (first,))
    plain = tiny.train(tmp_path / "plain", stage("freeze", learning_rate=1e-9))
    losses = [read_metrics(out / "metrics.jsonl")[0]["loss"] for out in (plain, second)]
    assert losses[1] < losses[0] - 0.1


def test_two_stages_of_a_recipe_see_the_samples_in_different_orders(
    tiny: Tiny, tmp_path: Path
) -> None:
    outs = [tiny.train(tmp_path / name, stage("full", name=name)) for name in ("one", "two")]
    first = [read_metrics(out / "metrics.jsonl")[0]["loss"] for out in outs]
    assert first[0] != first[1]


def test_a_loss_that_is_no_number_stops_the_training_and_names_the_step(
    tiny: Tiny, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=r"step \d+: the (loss|gradient norm) is (nan|inf)"):
        tiny.train(tmp_path / "out", stage("full", learning_rate=1e30, gradient_clip=1e30))
    assert not (tmp_path / "out").exists()


def test_another_learning_rate_refuses_the_checkpoints_of_the_first(
    tiny: Tiny, tmp_path: Path
) -> None:
    run_job(written_job(tiny, tmp_path, stage("embeddings")))
    job = written_job(tiny, tmp_path, stage("embeddings", learning_rate=2e-3), out="other")
    with pytest.raises(TrainingError, match="belongs to another training: stage differ"):
        run_job(job)


def test_other_data_than_the_job_was_made_for_are_refused(tiny: Tiny, tmp_path: Path) -> None:
    job = written_job(tiny, tmp_path, stage("embeddings"), data_digest="0" * 64)
    with pytest.raises(TrainingError, match="make the job again"):
        run_job(job)


def test_a_finished_training_whose_output_was_lost_is_not_trained_again(
    tiny: Tiny, tmp_path: Path
) -> None:
    first = run_job(written_job(tiny, tmp_path, stage("embeddings")))
    lines: list[dict[str, object]] = []
    again = written_job(tiny, tmp_path, stage("embeddings"), out="again")
    second = run_job(again, on_log=lines.append)
    assert not lines
    name = "trained.safetensors"
    assert (first / name).read_bytes() == (second / name).read_bytes()


def test_an_unknown_field_of_a_job_is_named(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text('{"lerning_rate": 1}')
    with pytest.raises(TrainingError, match="lerning_rate"):
        read_job(tmp_path / "job.json")


def test_a_batch_smaller_than_a_sample_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    with (
        pytest.raises(TrainingError, match="less than one sample"),
        standalone(tmp_path / "out") as place,
    ):
        tiny.train_in(place, stage("full", batch_tokens=16))


def test_dropout_of_lora_is_at_work_and_repeats(tiny: Tiny, tmp_path: Path) -> None:
    outs = [tiny.train(tmp_path / name, stage("lora", name="lora")) for name in ("one", "two")]
    names = ("adapter/adapter_model.safetensors", "adapter/adapter_config.json", "stage.json")
    for name in names:
        assert (outs[0] / name).read_bytes() == (outs[1] / name).read_bytes()
    model = load_with_overlays(tiny.extended, outs[:1])
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())


def written_job(
    tiny: Tiny,
    root: Path,
    training: object,
    out: str = "out",
    trainer: Mapping[str, object] = MappingProxyType({}),
    **fields: object,
) -> Path:
    from nativize.tokens import TokenShards

    values = {
        "kind": "tokens",
        "model": tiny.extended,
        "data": tiny.tokens,
        "data_digest": TokenShards(tiny.tokens).digest(),
        "stage": training,
        "sequence_length": 32,
        "batch_samples": 4,
        "trainer": {"device": "cpu", "save_every_steps": 2, "log_every_steps": 1, **trainer},
        "work_dir": root / "work",
        "output_dir": root / out,
        **fields,
    }
    root.mkdir(exist_ok=True)
    return Job.model_validate(values).write(root / f"{out}.json")
