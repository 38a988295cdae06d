"""The store finds what exists, builds what does not, and shows nothing that is half done."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nativize.artifact import Accounts, Artifact, ArtifactStore, Inputs, Report, Stage, Workplace
from nativize.artifact.collect import collect_garbage, find_garbage
from nativize.artifact.fingerprint import canonical_json, difference, fingerprint
from nativize.errors import AccountsError, ArtifactError

STAGE = Stage("filtered_shards", 1, "corpus", reads=("clean",))
FITTED = Stage("tokenizer", 1, "vocabulary", inputs=("filtered_shards",), refit="vocabulary.refit")


class Builder:
    """Writes one file and counts how often it had to."""

    def __init__(self, text: str = "text") -> None:
        self.text, self.builds = text, 0

    def __call__(self, place: Workplace) -> Report:
        self.builds += 1
        (place.out / "data.txt").write_text(self.text)
        return Report({"characters": len(self.text)})


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "store", "demo")


def make(
    store: ArtifactStore,
    build: Builder,
    stage: Stage = STAGE,
    inputs: Inputs | None = None,
    **options: object,
) -> Artifact:
    recipe = options.pop("recipe", {"clean": {"minimum": 1}})
    return store.materialise(stage, recipe, inputs or Inputs(), build, **options)


def test_the_same_fingerprint_is_built_once(store: ArtifactStore) -> None:
    build = Builder()
    first, second = make(store, build), make(store, build)
    assert build.builds == 1
    assert (first.reused, second.reused) == (False, True)
    assert second.content == first.content
    assert second.why == ("same fingerprint: nothing it reads changed",)


def test_why_is_the_difference_of_the_payloads(store: ArtifactStore) -> None:
    assert make(store, Builder()).why == ("first build",)
    changed = make(store, Builder(), recipe={"clean": {"minimum": 2}})
    assert changed.why == ("recipe.clean.minimum: 1 → 2",)


def test_flipping_a_setting_back_finds_the_old_value(store: ArtifactStore) -> None:
    build = Builder()
    first = make(store, build)
    make(store, build, recipe={"clean": {"minimum": 2}})
    back = make(store, build)
    assert back.reused and back.path == first.path and build.builds == 2
    assert store.current(STAGE.name).path == first.path


def test_force_builds_again_beside_the_old_value(store: ArtifactStore) -> None:
    build = Builder()
    first, forced = make(store, build), make(store, build, force=True)
    assert build.builds == 2 and forced.why == ("forced",)
    assert forced.path != first.path and first.is_whole()
    assert forced.content == first.content


def test_a_value_with_a_missing_file_is_no_hit(store: ArtifactStore) -> None:
    build = Builder()
    (make(store, build).path / "data.txt").unlink()
    assert not make(store, build).reused


def test_content_is_the_same_for_the_same_files_whatever_led_to_them(store: ArtifactStore) -> None:
    one = make(store, Builder())
    other = make(store, Builder(), recipe={"clean": {"minimum": 2}})
    assert one.content == other.content


def test_reports_and_volatile_files_are_no_content(store: ArtifactStore) -> None:
    def build(note: str) -> Builder:
        builder = Builder()

        def fill(place: Workplace) -> Report:
            (place.out / "report").mkdir()
            (place.out / "report" / "picture.png").write_text(note)
            (place.out / "metrics.jsonl").write_text(note)
            return Builder.__call__(builder, place)

        return fill

    stage = Stage("lora_checkpoints", 1, "model", volatile=("metrics.jsonl",))
    one = make(store, build("a"), stage)
    assert make(store, build("b"), stage, force=True).content == one.content


def test_a_failing_build_publishes_nothing(store: ArtifactStore) -> None:
    def fail(place: Workplace) -> Report:
        (place.out / "half.txt").write_text("half")
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError):
        make(store, fail)
    assert not (store.root / "values").exists()
    with pytest.raises(ArtifactError, match="materialise filtered_shards first"):
        store.current(STAGE.name)


def test_a_full_disk_is_named_with_what_to_do(store: ArtifactStore) -> None:
    def fill(place: Workplace) -> Report:
        raise OSError(errno.ENOSPC, "No space left on device", str(place.out))

    with pytest.raises(ArtifactError, match=r"no space left on the disk.*nativize gc"):
        make(store, fill)
    assert not (store.root / "values").exists()


def test_unbalanced_books_publish_nothing(store: ArtifactStore) -> None:
    def lose_one(place: Workplace) -> Report:
        accounts = Accounts()
        accounts.enter("kept")
        accounts.enter("lost")
        accounts.keep("kept")
        return Report(accounts=accounts)

    with pytest.raises(AccountsError, match="entered"):
        make(store, lose_one)
    assert not (store.root / "values").exists()


def test_what_is_fitted_stays_when_data_changes_and_goes_when_the_recipe_does(
    store: ArtifactStore,
) -> None:
    old, new = make(store, Builder("old")), make(store, Builder("new"), force=True)
    fit = Builder("pieces")
    policy = {"refit": "on_recipe_change", "recipe": {"size": 1}}
    first = make(store, fit, FITTED, Inputs((old,)), **policy)
    kept = make(store, fit, FITTED, Inputs((new,)), **policy)
    assert kept.reused and kept.path == first.path and "fitted once" in kept.why[0]
    assert kept.record.payload["inputs"] == {"filtered_shards": old.content}
    again = make(store, fit, FITTED, Inputs((new,)), **{**policy, "recipe": {"size": 2}})
    assert not again.reused
    always = make(store, fit, FITTED, Inputs((new,)), refit="always", recipe={"size": 1})
    assert not always.reused and fit.builds == 3


def test_a_fitted_value_of_another_recipe_is_not_taken(store: ArtifactStore) -> None:
    japanese, chinese = make(store, Builder("ja")), make(store, Builder("zh"), force=True)
    policy = {"refit": "on_recipe_change"}
    make(store, Builder("pieces"), FITTED, Inputs((japanese,)), **policy)
    other = ArtifactStore(store.root, "other")
    assert not make(other, Builder("pieces"), FITTED, Inputs((chinese,)), **policy).reused


def test_recipes_share_values_but_not_pointers(store: ArtifactStore) -> None:
    build = Builder()
    make(store, build)
    other = ArtifactStore(store.root, "other")
    with pytest.raises(ArtifactError):
        other.current(STAGE.name)
    assert make(other, build).reused and build.builds == 1


def test_two_writers_of_one_stage_build_once(store: ArtifactStore) -> None:
    build = Builder()
    writers = [threading.Thread(target=make, args=(store, build)) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert build.builds == 1


@pytest.mark.parametrize("value", [{"a": {1}}, {"a": Path("x")}, {"a": float("nan")}, {1: "a"}])
def test_a_value_without_a_stable_form_is_an_error(value: object) -> None:
    with pytest.raises(ArtifactError, match="no stable form"):
        canonical_json(value)


def test_the_fingerprint_does_not_depend_on_the_order_of_keys() -> None:
    assert fingerprint({"a": 1, "b": [1.5, "ü"]}) == fingerprint({"b": [1.5, "ü"], "a": 1})


def test_a_difference_names_fields_that_came_and_went() -> None:
    assert difference({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"d": 3}}) == [
        "b.c: 2 → nothing",
        "b.d: nothing → 3",
    ]


def test_garbage_is_what_no_recipe_points_at(store: ArtifactStore) -> None:
    values = [make(store, Builder(), recipe={"clean": {"minimum": n}}) for n in range(4)]
    current = make(store, Builder(), recipe={"clean": {"minimum": 0}})
    doomed = find_garbage(store.root, keep=1)
    assert {item.path for item in doomed} == {values[1].path, values[2].path}
    assert collect_garbage(store.root, doomed) > 0
    assert store.current(STAGE.name).path == current.path
    assert not values[1].path.exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from nativize.artifact import ArtifactStore, Inputs, Report, Stage

def build(place):
    (place.out / "data.txt").write_text("text" * 100000)
    (place.scratch / "progress").write_text("half")
    if sys.argv[2] == "during":
        os.kill(os.getpid(), signal.SIGKILL)
    return Report()

store = ArtifactStore(Path(sys.argv[1]), "demo")
store.materialise(Stage("filtered_shards", 1, "corpus"), {}, Inputs(), build)
"""


def test_a_kill_leaves_nothing_visible_and_the_scratch_in_place(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    killed = subprocess.run([*command, "during"], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "values").exists()
    assert [p.read_text() for p in (tmp_path / "work").rglob("progress")] == ["half"]
    subprocess.run([*command, "not"], env=environment, check=True)
    (record,) = (tmp_path / "values").rglob("record.json")
    assert json.loads(record.read_text())["why"] == ["first build"]
    assert not list((tmp_path / "work" / "filtered_shards").iterdir())
