import json
from pathlib import Path

import pytest

from nativize.artifact import standalone
from nativize.errors import VocabularyError
from nativize.recipe import Vocabulary
from nativize.vocabulary import load_encoder, measure_curve, read_curve, train_tokenizer
from nativize.vocabulary.curve import Curve, Point, choose
from nativize.vocabulary.encoder import tokens_per_character
from nativize.vocabulary.piece_model import encoder_of, read_model
from nativize.vocabulary.pieces import model_of


@pytest.fixture(scope="module")
def curve(workshop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("curve") / "out"
    with standalone(out) as place:
        measure_curve(workshop / "new", place, vocabulary=Vocabulary())
    return out


def train(workshop: Path, out: Path, curve: Path | None, **recipe: object) -> Path:
    vocabulary = Vocabulary.model_validate(recipe)
    with standalone(out) as place:
        train_tokenizer(workshop / "new", place, vocabulary=vocabulary, curve=curve)
    return out / "tokenizer.model"


def test_a_tokenizer_is_the_beginning_of_the_curves_pieces(
    workshop: Path, curve: Path, tmp_path: Path
) -> None:
    measured = read_curve(curve)
    for size in (100, 160):
        model = read_model(train(workshop, tmp_path / str(size), curve, size=size))
        learned = size - 3 - len(measured.characters)
        wanted = [*measured.pieces[:learned], *measured.characters]
        assert [entry.piece for entry in model.pieces][3:] == wanted


def test_a_tokenizer_without_a_curve_is_the_same(
    workshop: Path, curve: Path, tmp_path: Path
) -> None:
    alone = train(workshop, tmp_path / "alone", None, size=160)
    from_curve = train(workshop, tmp_path / "from_curve", curve, size=160)
    assert alone.read_bytes() == from_curve.read_bytes()


def test_auto_takes_the_size_that_the_curve_chose(
    workshop: Path, curve: Path, tmp_path: Path
) -> None:
    train(workshop, tmp_path / "out", curve, size="auto")
    assert load_encoder(tmp_path / "out").size == read_curve(curve).chosen


def test_a_size_the_sample_cannot_carry_says_the_largest_it_can(
    workshop: Path, curve: Path, tmp_path: Path
) -> None:
    most = read_curve(curve).points[-1].size
    with pytest.raises(VocabularyError, match=f"cannot carry 5000 pieces, at most {most}"):
        train(workshop, tmp_path / "out", curve, size=5000)
    assert not (tmp_path / "out").exists()


def test_the_curve_says_what_a_tokenizer_of_that_size_makes_of_held_out_text(
    workshop: Path, curve: Path
) -> None:
    from nativize.vocabulary import sample_texts

    measured = read_curve(curve)
    heldout = sample_texts(workshop / "new", "heldout", 10**6)
    for point in measured.points:
        model = model_of(measured.characters, measured.pieces, point.size, byte_fallback=True)
        found = tokens_per_character(encoder_of(model), heldout)
        assert point.tokens_per_character == pytest.approx(found, abs=1e-4)


def test_a_person_sees_the_curve_and_its_figures(curve: Path) -> None:
    assert (curve / "report" / "curve.png").read_bytes().startswith(b"\x89PNG")
    table = json.loads((curve / "report" / "sizes.json").read_text())
    assert len(table["rows"]) == len(read_curve(curve).points)
    assert sum("auto" in str(row) for row in table["rows"]) == 1


def test_no_curve_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match="no vocabulary curve"):
        read_curve(tmp_path)


@pytest.mark.parametrize(
    ("points", "size", "reason"),
    [
        ([(1_000, 0.9, 1), (2_000, 0.8, 1), (4_000, 0.78, 1)], 2_000, "save only 2.5%"),
        ([(1_000, 0.9, 1), (2_000, 0.8, 0.9), (4_000, 0.7, 0.5)], 1_000, "only 90% occur 100"),
        ([(1_000, 0.9, 1), (2_000, 0.8, 1), (4_000, 0.7, 1)], 4_000, "largest"),
        ([(1_000, 0.9, 0.1)], 1_000, "largest"),
        ([(1_000, 0.9, 1), (2_000, 0.88, 1), (4_000, 0.5, 1)], 1_000, "save only 2.2%"),
    ],
)
def test_the_knee_is_where_doubling_saves_little_or_pieces_are_rare(
    points: list[tuple[int, float, float]], size: int, reason: str
) -> None:
    chosen, why = choose([Point(*point) for point in points])
    assert chosen == size
    assert reason in why


def test_the_knee_does_not_move_with_the_largest_size_looked_at() -> None:
    points = [Point(1_000 * 2**n, h, 1.0) for n, h in enumerate((0.9, 0.7, 0.6, 0.55, 0.54, 0.53))]
    assert {choose(points[:most])[0] for most in (4, 5, 6)} == {8_000}


def test_a_curve_is_read_as_it_was_written(curve: Path) -> None:
    measured = read_curve(curve)
    assert isinstance(measured, Curve)
    assert measured.chosen in {point.size for point in measured.points}
    assert measured.complete
