"""`nativize plan` says what a training costs before it starts, and refuses what cannot fit."""

import copy
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from nativize.artifact import ArtifactStore, Inputs, Report, Workplace
from nativize.budget import (
    budgets,
    find_budget,
    model_of,
    planned,
    refuse_what_cannot_fit,
    remedies,
)
from nativize.cli import main
from nativize.errors import BudgetError
from nativize.recipe import Recipe, Trainer, load_recipe, recipe_slice
from nativize.road import road

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
SIZES = {
    "tinyllama-1.1b-japanese": 1_165_584_384,
    "llama-2-7b-japanese": 6_869_487_616,
    "llama-2-13b-chinese": 13_220_992_000,
}


def run(home: Path, *arguments: object) -> Result:
    return CliRunner().invoke(main, ["plan", *map(str, arguments), "--home", str(home)])


def recipe_with(name: str, trainer: dict[str, Any], **stage: Any) -> dict[str, Any]:
    """A published recipe's TOML with another trainer and, in its last stage, other settings."""
    data = tomllib.loads((RECIPES / f"{name}.toml").read_text("utf-8"))
    data["trainer"] = trainer
    data["stage"][-1] |= stage
    return data


def read(data: dict[str, Any]) -> Recipe:
    return Recipe.model_validate({**data, "directory": RECIPES})


@pytest.mark.parametrize("name", SIZES)
def test_a_published_recipe_is_planned_without_its_crawl_and_fits(
    name: str, tmp_path: Path
) -> None:
    result = run(tmp_path, RECIPES / f"{name}.toml", "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["model"]["parameters"] == SIZES[name]
    assert "no file matches" in said["stages"]
    for training in said["trainings"]:
        assert training["memory_bytes"] == pytest.approx(sum(training["memory_terms"].values()))
        assert training["fits"] is True
    hours = [training["hours"] for training in said["trainings"] if training["steps"]]
    assert all(0.5 < each < 1_000 for each in hours)


def test_planning_imports_neither_torch_nor_the_network(tmp_path: Path) -> None:
    script = (
        "import socket, sys\n"
        "def refuse(*_, **__): raise OSError('no network here')\n"
        "socket.socket.connect = refuse\n"
        "from nativize.cli import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "assert not {'torch', 'transformers', 'peft'} & set(sys.modules), 'torch was imported'\n"
    )
    plan = ["plan", str(RECIPES / "llama-2-13b-chinese.toml"), "--home", str(tmp_path)]
    made = subprocess.run([sys.executable, "-c", script, *plan], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    assert "13,220,992,000 parameters" in made.stdout


def test_every_term_stands_in_the_table(tmp_path: Path) -> None:
    text = run(tmp_path, RECIPES / "tinyllama-1.1b-japanese.toml").output
    for term in (
        "what is stale cannot be said: crawl source 'web': no file matches",
        "398,458,880 of 1,367,435,264 parameters (29.14%)",
        "Adam's moments, fp32",
        "CUDA context",
        "a GPU hour",
        "token_shards",
    ):
        assert term in text


@pytest.mark.parametrize(
    ("trainer", "stage"),
    [
        ({"hardware": "RTX 3090", "micro_batch_samples": 8}, {}),
        ({"hardware": "RTX 4090", "micro_batch_samples": 1}, {"trainable": "full"}),
        ({"hardware": "A100 80GB", "micro_batch_samples": 16}, {"trainable": "lora"}),
        ({"hardware": "A100 40GB", "micro_batch_samples": 4}, {"trainable": "lora"}),
    ],
)
def test_each_change_that_is_named_makes_it_fit(
    trainer: dict[str, Any], stage: dict[str, Any], tmp_path: Path
) -> None:
    store = ArtifactStore(tmp_path, "x")
    data = recipe_with("llama-2-7b-japanese", trainer, **stage)
    budget = budgets(read(data), store)[-2]
    assert budget.fits is False
    found = remedies(budget)
    assert found
    for change in found:
        changed = budgets(read(_applied(data, change.lines)), store)[-2]
        assert changed.fits is True, change
        assert changed.memory.total == change.total


def _applied(data: dict[str, Any], lines: str) -> dict[str, Any]:
    """A recipe's TOML with the lines of a remedy written into it."""
    changed = copy.deepcopy(data)
    for line in lines.replace(" with ", " and ").split(" and "):
        for (*inside, key), value in _assignments(tomllib.loads(line)):
            place = changed["trainer"] if key in Trainer.model_fields else changed["stage"][-1]
            for part in inside:
                place = place.setdefault(part, {})
            place[key] = value
    return changed


def _assignments(table: dict[str, Any], before: tuple[str, ...] = ()) -> Any:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _assignments(value, (*before, key))
        else:
            yield (*before, key), value


def test_the_command_ends_with_one_where_something_does_not_fit(tmp_path: Path) -> None:
    text = (RECIPES / "llama-2-13b-chinese.toml").read_text("utf-8")
    path = tmp_path / "small.toml"
    path.write_text(text.replace('hardware = "H200"', 'hardware = "RTX 4090"'))
    result = run(tmp_path, path)
    assert result.exit_code == 1
    assert "lora_checkpoints does not fit: it needs 69.0 GiB of a GPU" in result.output
    assert "the RTX 4090 has 24.0 GiB" in result.output
    assert "It fits with:" in result.output


def test_a_training_is_refused_before_it_begins(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "x")
    trainer = {"hardware": "A100 80GB", "micro_batch_samples": 1}
    recipe = read(recipe_with("llama-2-7b-japanese", trainer))
    with pytest.raises(BudgetError, match="full_checkpoints does not fit: it needs"):
        refuse_what_cannot_fit(recipe, store, "full_checkpoints")
    refuse_what_cannot_fit(recipe, store, "embedding_checkpoints")
    refuse_what_cannot_fit(recipe, store, "pretrained_model")
    nameless = read(recipe_with("llama-2-7b-japanese", {}))
    refuse_what_cannot_fit(nameless, store, "full_checkpoints")


def test_an_asset_can_carry_what_was_planned_for_it(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "x")
    recipe = load_recipe(RECIPES / "tinyllama-1.1b-japanese.toml")
    figures = planned(recipe, store, "lora_checkpoints")
    assert figures["planned_memory_gib"] == pytest.approx(12.5, abs=0.5)
    tokens = figures["planned_hours"] * 3600 * figures["planned_tokens_per_second"]
    assert tokens == pytest.approx(4_000 * 524_288, rel=1e-3)
    assert planned(recipe, store, "raw_crawl") == {}


def test_without_named_hardware_nothing_measured_is_called_planned(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "x")
    recipe = load_recipe(RECIPES / "tinyllama-1.1b-japanese.toml")
    trainer = recipe.trainer.model_copy(update={"hardware": None})
    recipe = recipe.model_copy(update={"trainer": trainer})
    make(store, recipe, "lora_checkpoints", "stage.json", "{}", tokens_per_second=500.0)
    budget = find_budget(recipe, store, "lora_checkpoints")
    assert budget is not None and budget.tokens_a_second == 500.0
    assert set(planned(recipe, store, "lora_checkpoints")) == {"planned_flops"}


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ({"hub": "org/secret", "revision": "0" * 40}, "shapes of org/secret are not known here"),
        ({"path": "nowhere"}, "nowhere/config.json: not there"),
    ],
)
def test_a_base_that_nothing_knows_is_refused_with_what_to_do(
    base: dict[str, str], message: str, tmp_path: Path
) -> None:
    data = recipe_with("tinyllama-1.1b-japanese", {}) | {"base": base}
    with pytest.raises(BudgetError, match=message):
        budgets(read(data), ArtifactStore(tmp_path, "x"))


def test_unknown_hardware_is_refused_with_the_nearest_names(tmp_path: Path) -> None:
    recipe = read(recipe_with("llama-2-7b-japanese", {"hardware": "H100"}))
    with pytest.raises(BudgetError, match="Did you mean H100 PCIe or H100 NVL or H100 SXM"):
        budgets(recipe, ArtifactStore(tmp_path, "x"))


def test_the_hardware_is_listed(tmp_path: Path) -> None:
    lines = run(tmp_path, "--list-hardware").output.splitlines()
    assert next(line.split() for line in lines if line.startswith("H200")) == [
        *("H200", "140.4", "989.0", "67.0")
    ]


def test_what_was_made_already_is_taken_instead_of_what_is_expected(tmp_path: Path) -> None:
    data = recipe_with("tinyllama-1.1b-japanese", {"hardware": "cpu"})
    recipe, store = read(data), ArtifactStore(tmp_path, "x")
    sizes = {"base_size": 32_000, "size": 47_100, "padded_size": 47_104, "new_pieces": 15_100}
    make(store, recipe, "merged_vocabulary", "vocabulary.json", json.dumps(sizes))
    make(store, recipe, "lora_checkpoints", "stage.json", "{}", tokens_per_second=500.0)
    budget = find_budget(recipe, store, "lora_checkpoints")
    assert budget is not None
    assert budget.setup.shapes.vocabulary == 47_104
    assert budget.setup.new_rows == 15_100
    assert budget.hours == pytest.approx(4_000 * 524_288 / 500 / 3600)
    other = read({**data, "vocabulary": {"size": 8_000, "pad_to_multiple": 1}})
    assert model_of(other, store).shapes.vocabulary == 40_000


def make(
    store: ArtifactStore, recipe: Recipe, name: str, file: str, text: str, **figures: float
) -> None:
    """A value of a stage with one file in it, and figures of its own."""

    def build(place: Workplace) -> Report:
        (place.out / file).write_text(text, encoding="utf-8")
        return Report(figures)

    stage = road(recipe)[name]
    store.materialise(stage, recipe_slice(recipe, stage.reads), Inputs(), build)
