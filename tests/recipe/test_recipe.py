"""A recipe says precisely what is wrong with it, and what of it is identity."""

from pathlib import Path

import pytest

from nativize.errors import RecipeError
from nativize.recipe import Language, load_recipe, recipe_slice

RECIPES = Path(__file__).parents[2] / "recipes"
DEMO = (RECIPES / "demo.toml").read_text(encoding="utf-8")


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_of_the_project_is_valid(path: Path) -> None:
    assert load_recipe(path).stage


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[vocabulary]\nsize", "[vocabulary]\nsise", "vocabulary.sise: unknown key. Did you mean"),
        ("hidden_size = ", "hiden_size = ", "base.scratch.hiden_size: unknown key. Did you mean"),
        ('trainable = "lora"', 'trainable = "lorra"', "stage.1.trainable: Input should be 'e"),
        ("steps = 40", 'steps = "many"', "stage.0.steps: Input should be a valid integer"),
        ('code = "ja"', "", "language.code: missing"),
        ("[language]", "[language", "not valid TOML"),
        ("[base.scratch]", '[base]\nhub = "a/b"\n[base.scratch]', "exactly one of hub, path"),
        ('name = "encyclopedia"', 'name = "web"', "source names must differ"),
        ("[quality]", "[quality]\nhead_perplexity = 3.0", "give both or none"),
        (
            "[quality]",
            "[quality]\nhead_perplexity = 3.0\nmiddle_perplexity = 2.0",
            "head_perplexity 3.0 is above middle_perplexity 2.0",
        ),
        ("[quality]", "[quality]\nhead_percentile = 0.7", "head_percentile 0.7 is above middle"),
        ("[quality]", "[quality]\nbucket_shares = { tial = 0.1 }", "tial: unknown key. Did you"),
        ("[quality]", "[quality]\nbucket_shares = { tail = 1.1 }", "less than or equal to 1"),
        ("[quality]", '[quality]\nkeep_sources = ["wiki"]', "quality.keep_sources names wiki, but"),
        ("[quality]", '[engine]\nray_address = "cluster"\n[quality]', "none of auto, host:port"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in DEMO
    with pytest.raises(RecipeError) as error:
        load_recipe(write(tmp_path, DEMO.replace(old, new, 1)))
    assert message in str(error.value)
    assert "recipe.toml" in str(error.value)


def test_a_hub_model_without_revision_is_refused(tmp_path: Path) -> None:
    start, end = DEMO.index("[base.scratch]"), DEMO.index("[mixture]")
    text = DEMO[:start] + '[base]\nhub = "org/model"\n\n' + DEMO[end:]
    with pytest.raises(RecipeError, match="needs its revision"):
        load_recipe(write(tmp_path, text))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n[language]", "\n# a comment\n[language]"),
        ("\n[language]", "\n[engine]\nworkers = 7\n[language]"),
        ("\n[language]", '\n[engine]\nray_address = "ray://head:10001"\n[language]'),
        ("\n[trainer]", "\n[trainer]\nsave_every_steps = 7"),
        ('path = "../.nativize/sample/crawl/*/*"', 'path = "/elsewhere/*"'),
        ("[vocabulary]", '[vocabulary]\nrefit = "always"'),
    ],
)
def test_what_is_execution_is_no_identity(tmp_path: Path, old: str, new: str) -> None:
    assert old in DEMO
    sections = tuple(
        name for name in ["language", "crawl", "clean", "quality", "dedup", "vocabulary", "stage"]
    )
    slices = [
        recipe_slice(load_recipe(write(tmp_path, text)), sections)
        for text in (DEMO, DEMO.replace(old, new, 1))
    ]
    assert slices[0] == slices[1]


def test_a_learning_rate_is_identity_of_its_stage_alone(tmp_path: Path) -> None:
    changed = DEMO.replace("learning_rate = 2e-3", "learning_rate = 1e-3")
    one, other = (load_recipe(write(tmp_path, text)) for text in (DEMO, changed))
    assert recipe_slice(one, ("stage.lora",)) != recipe_slice(other, ("stage.lora",))
    assert recipe_slice(one, ("stage.embedding",)) == recipe_slice(other, ("stage.embedding",))


@pytest.mark.parametrize(
    ("code", "shingle"),
    [
        ("ja", "characters"),
        ("th", "characters"),
        ("bo", "syllables"),
        ("en", "words"),
        ("ko", "words"),
    ],
)
def test_a_language_is_counted_as_its_script_parts_it(code, shingle):
    assert Language(code=code).shingle == shingle
    assert Language(code=code, shingle="words").shingle == "words"
