"""What each training changes, and what it refuses."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from nativize.artifact import standalone
from nativize.errors import TrainingError
from nativize.evaluate.heldout import choose_heldout
from nativize.evaluate.likelihood import bits_per_byte
from nativize.model.directory import load_model
from nativize.model.overlay import load_with_overlays
from nativize.tokens import TokenShards
from nativize.tokens.heldout import MAXIMUM_TOKENS
from nativize.train.job import Job, read_job
from nativize.train.metrics import read_metrics
from nativize.train.run import run_job
from nativize.vocabulary import load_encoder
from tests.model.tiny import Tiny, stage


def trained_names(out: Path) -> set[str]:
    return set(load_file(out / "trained.safetensors"))


def test_embeddings_trains_embedding_and_head_and_nothing_else(tiny: Tiny, tmp_path: Path) -> None:
    out = tiny.train(tmp_path / "out", stage("embeddings"))
    assert trained_names(out) == {"model.embed_tokens.weight", "lm_head.weight"}


def test_embeddings_can_leave_the_head_alone(tiny: Tiny, tmp_path: Path) -> None:
    out = tiny.train(tmp_path / "out", stage("embeddings", embeddings="input"))
    assert trained_names(out) == {"model.embed_tokens.weight"}


def test_new_rows_alone_move_and_old_ones_by_exactly_nothing(tiny: Tiny, tmp_path: Path) -> None:
    training = stage("embeddings", embeddings="new_rows", learning_rate=0.01)
    out = tiny.train(tmp_path / "out", training)
    before, after = load_with_overlays(tiny.extended, ()), load_with_overlays(tiny.extended, [out])
    first, end = TokenShards(tiny.tokens).new_rows
    moved = {
        name: (new - old).abs().sum(-1)
        for (name, old), new in zip(before.named_parameters(), after.parameters(), strict=True)
    }
    # the head meets every token in every loss, the embedding those of four batches
    for name, share in (("model.embed_tokens.weight", 0.1), ("lm_head.weight", 0.99)):
        change = moved.pop(name)
        assert change[first:end].gt(0).float().mean() > share
        assert float(change[:first].sum() + change[end:].sum()) == 0.0
    assert all(float(change.sum()) == 0.0 for change in moved.values())
    record = json.loads((out / "stage.json").read_text())
    assert record["trainable_parameters"] == 2 * (end - first) * 32


def test_freeze_trains_the_first_layers_where_they_are_asked_for(
    tiny: Tiny, tmp_path: Path
) -> None:
    training = stage("freeze", train_first_layers=1, train_last_layers=0)
    out = tiny.train(tmp_path / "out", training)
    assert {name.split(".")[2] for name in trained_names(out)} == {"0"}


def test_more_layers_than_there_are_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="3 layers to train, but the model has 2"):
        tiny.train(tmp_path / "out", stage("freeze", train_last_layers=3))


def test_embeddings_may_have_a_learning_rate_of_their_own(tiny: Tiny, tmp_path: Path) -> None:
    training = stage(
        "full", learning_rate=1e-9, embedding_learning_rate=1e-2, steps=1, schedule="constant"
    )
    out = load_file(tiny.train(tmp_path / "out", training) / "trained.safetensors")
    before = load_file(tiny.extended / "model.safetensors")
    change = {name: float((out[name] - before[name]).abs().max()) for name in out}
    tables = {"model.embed_tokens.weight", "lm_head.weight"}
    assert all(change[name] == pytest.approx(1e-2, rel=1e-3) for name in tables)
    assert all(change[name] < 1e-6 for name in change.keys() - tables)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_trains_nearly_the_same(tiny: Tiny, tmp_path: Path, precision: str) -> None:
    losses = []
    for kind in ("fp32", precision):
        training = stage("full", precision=kind, steps=8, learning_rate=1e-2)
        out = tiny.train(tmp_path / kind, training)
        losses.append([line["loss"] for line in read_metrics(out / "metrics.jsonl")])
        tensors = load_file(out / "trained.safetensors").values()
        assert {tensor.dtype for tensor in tensors} == {torch.float32}
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    assert losses[1][-1] < losses[1][0] - 0.3


@pytest.mark.parametrize("trainable", ["lora", "full"])
def test_gradient_checkpointing_changes_memory_alone(
    tiny: Tiny, tmp_path: Path, trainable: str
) -> None:
    outs = [
        run_job(
            written_job(
                tiny, tmp_path / str(on), stage(trainable), trainer={"gradient_checkpointing": on}
            )
        )
        for on in (False, True)
    ]
    losses = [read_metrics(out / "metrics.jsonl")[-1]["loss"] for out in outs]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_rank_stabilised_adapters_say_so(tiny: Tiny, tmp_path: Path) -> None:
    lora = {"rank": 4, "alpha": 8, "rank_stabilised": True}
    out = tiny.train(tmp_path / "out", stage("lora", lora=lora))
    assert json.loads((out / "adapter" / "adapter_config.json").read_text())["use_rslora"] is True


def test_held_out_text_is_measured_as_the_evaluation_measures_it(
    tiny: Tiny, tmp_path: Path
) -> None:
    """While nothing is learned, the figures are those of the model that it began on."""
    training = stage("embeddings", learning_rate=1e-12, steps=4)
    out = run_job(written_job(tiny, tmp_path, training, trainer={"evaluate_every_steps": 2}))
    lines = read_metrics(out / "metrics.jsonl")
    assert [line["step"] for line in lines if "bits_per_byte_new" in line] == [2, 4]
    encoder = load_encoder(tiny.vocabulary)
    model = load_model(tiny.extended, dtype=torch.float32)
    model.config.max_position_embeddings = 31  # of a window: its first id is context
    for name, corpus in (("new", tiny.new), ("old", tiny.old)):
        heldout = choose_heldout(corpus, encoder, MAXIMUM_TOKENS)
        expected = bits_per_byte(model, encoder, heldout)
        assert lines[-1][f"bits_per_byte_{name}"] == pytest.approx(expected, rel=1e-4)


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
    board = EventAccumulator(str(out / "tensorboard")).Reload()
    drawn = [(event.step, event.value) for event in board.Scalars("loss")]
    assert drawn == [(line["step"], pytest.approx(line["loss"], rel=1e-6)) for line in lines]


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


def test_a_training_killed_behind_its_last_act_has_ended(tiny: Tiny, tmp_path: Path) -> None:
    job = written_job(tiny, tmp_path, stage("embeddings"))
    out = run_job(job)
    before = written(out)
    steps: list[int] = []
    assert run_job(job, on_step=steps.append) == out
    assert not steps
    assert written(out) == before


@pytest.mark.parametrize(
    ("other", "work"),
    [(stage("embeddings", learning_rate=2e-3), "work"), (stage("embeddings"), "other work")],
)
def test_what_another_job_trained_is_refused_and_kept(
    tiny: Tiny, tmp_path: Path, other: object, work: str
) -> None:
    out = run_job(written_job(tiny, tmp_path, stage("embeddings")))
    before = written(out)
    with pytest.raises(TrainingError, match="exists and is not empty"):
        run_job(written_job(tiny, tmp_path, other, work_dir=tmp_path / work))
    assert written(out) == before


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


def written(out: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in out.rglob("*")}


def written_job(
    tiny: Tiny,
    root: Path,
    training: object,
    out: str = "out",
    trainer: Mapping[str, object] = MappingProxyType({}),
    **fields: object,
) -> Path:
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
