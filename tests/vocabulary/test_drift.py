from pathlib import Path

import pytest

from nativize.artifact import standalone
from nativize.recipe import Recipe, load_recipe
from nativize.vocabulary import fertility, measure_curve, measure_drift, sample_texts
from nativize.vocabulary.drift import Drift
from tests.vocabulary.composed import JAPANESE, documents, write_corpus, write_shard

OTHER = (
    ("鉄道の駅", "新しい空港", "古い郵便局", "山の神社", "湖の公園", "丘の学校"),
    ("まで歩いて、", "から眺めて、", "の隣に住み、"),
    ("月曜日は", "火曜日も", "週末だけ", "祝日には"),
    ("珈琲を飲み", "手紙を書き", "写真を撮って", "音楽を聴いて"),
    ("ません。", "たいです。", "過ごす。"),
)


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load_recipe(Path(__file__).parents[1] / "e2e" / "tiny.toml")


@pytest.fixture(scope="module")
def curve(workshop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from nativize.recipe import Vocabulary

    out = tmp_path_factory.mktemp("curve") / "out"
    with standalone(out) as place:
        measure_curve(workshop / "new", place, vocabulary=Vocabulary())
    return out


def drift(workshop: Path, curve: Path, corpus: Path, recipe: Recipe) -> Drift:
    fitted = fertility(workshop / "merged", sample_texts(workshop / "new", "heldout", 10**6))
    return measure_drift(workshop / "merged", curve, corpus, recipe, at_fitting=fitted, size=160)


def test_the_same_corpus_has_not_drifted(workshop: Path, curve: Path, recipe: Recipe) -> None:
    found = drift(workshop, curve, workshop / "new", recipe)
    assert found.rise == pytest.approx(0, abs=1e-9)
    assert not found.pays
    assert "suits the corpus" in found.describe()


def test_a_corpus_of_other_words_makes_refitting_pay(
    workshop: Path, curve: Path, recipe: Recipe, tmp_path: Path
) -> None:
    found = drift(workshop, curve, write_corpus(tmp_path / "other", OTHER), recipe)
    assert found.rise > 0.5
    assert found.pays and found.saving > 0.3
    once = sum(stage.steps * stage.batch_tokens for stage in recipe.stage)
    assert found.pays_after == pytest.approx(once / found.saving, rel=1e-3)
    assert 'refit = "always"' in found.describe()


def test_text_that_is_harder_for_any_vocabulary_is_no_reason_to_refit(
    workshop: Path, curve: Path, recipe: Recipe, tmp_path: Path
) -> None:
    kept = [("train", text) for text in documents(JAPANESE)[:-2]]
    noise = "".join(chr(0x3041 + number * 37 % 83) for number in range(2_000))
    write_shard(tmp_path / "corpus", "part", [*kept, ("heldout", noise)])
    found = drift(workshop, curve, tmp_path / "corpus", recipe)
    assert found.rise > 0.5
    assert not found.pays
    assert "the text is harder" in found.describe()


def test_a_kept_vocabulary_is_measured_and_never_refitted(
    workshop: Path, curve: Path, recipe: Recipe, tmp_path: Path
) -> None:
    kept = recipe.model_copy(
        update={"vocabulary": recipe.vocabulary.model_copy(update={"mode": "none"})}
    )
    found = drift(workshop, curve, write_corpus(tmp_path / "other", OTHER), kept)
    assert found.rise > 0.5 and found.saving == 0.0


def test_a_corpus_without_held_out_text_says_nothing(
    workshop: Path, curve: Path, recipe: Recipe, tmp_path: Path
) -> None:
    write_shard(tmp_path / "corpus", "part", [("train", "春になると")])
    assert drift(workshop, curve, tmp_path / "corpus", recipe).rise == 0.0
