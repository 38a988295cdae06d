"""The compiled loops agree with plain Python by character, and sketches with MinHash in theory."""

import random
import unicodedata

import numpy as np
import pytest

from nativize.dedup.banding import detection_probability
from nativize.dedup.compare import BELOW, similarities
from nativize.dedup.fold import SPECIAL, fold, fold_tables
from nativize.dedup.interchange import to_datasketch
from nativize.dedup.shingles import CHUNK, Shingling
from nativize.dedup.sketch import EMPTY, sign, sketches
from nativize.recipe import Dedup, Fold, Language
from nativize.texts import Texts

ALPHABETS = {
    "ascii": "abcde ,.",
    "japanese": "あいがか゛漢字カーｶﾞ。、 ",
    "tibetan": "བོད་སྐད་ལ་ཡིག།",
    "greek and cyrillic": "аЁйΣςά,  ",
    "indic": "कखि्ी়ाঅআ",
    "thai": "กขิี่้ำ",
    "marks": "aeo\u0301\u0308\u0323\u0328",
    "emoji": "a😀🎌é ",
}
FOLDS = {
    "plain": Fold(punctuation=False),
    "punctuation": Fold(),
    "all": Fold(kana=True, kanji=True),
}


def shingling(*, by_words: bool = False, length: int = 5, how: Fold | None = None) -> Shingling:
    language = Language(code="xx", shingle="words" if by_words else "characters")
    return Shingling.of(language, Dedup(shingle_length=length, fold=how or Fold()))


def random_text(seed: int, alphabet: str, longest: int = 200) -> str:
    generator = random.Random(seed)
    return "".join(generator.choices(alphabet, k=generator.randint(0, longest)))


def python_shingles(text: str, *, by_words: bool, length: int, how: Fold) -> set[tuple[str, ...]]:
    folded = fold(text, how)
    units = list(folded)
    if by_words:
        table = fold_tables(how).is_word
        units = "".join(c if table[ord(c)] else " " for c in folded).split()
    length = min(length, len(units))
    return {tuple(units[at : at + length]) for at in range(len(units) - length + 1)} - {()}


@pytest.mark.parametrize("how", FOLDS.values(), ids=FOLDS)
@pytest.mark.parametrize("by_words", [False, True], ids=["characters", "words"])
@pytest.mark.parametrize("alphabet", ALPHABETS.values(), ids=ALPHABETS)
def test_similarity_is_that_of_python_sets(alphabet: str, by_words: bool, how: Fold) -> None:
    texts = [random_text(seed, alphabet) for seed in range(40)]
    pairs = np.array([(a, b) for a in range(40) for b in range(0, 40, 3)])
    found = similarities(Texts.of(texts), pairs, shingling(by_words=by_words, length=3, how=how))
    sets = [python_shingles(text, by_words=by_words, length=3, how=how) for text in texts]
    for (a, b), similarity in zip(pairs.tolist(), found, strict=True):
        union = sets[a] | sets[b]
        assert similarity == (len(sets[a] & sets[b]) / len(union) if union else 0.0)


def edited(text: str, generator: random.Random) -> str:
    """A copy with pieces replaced, dropped, put in, repeated and moved."""
    for _ in range(generator.randint(0, 8)):
        at, length = generator.randrange(len(text)), generator.choice((1, 2, 30, 700))
        piece = generator.choice(("", "〓", "x y ", text[at : at + length]))
        behind = at + generator.choice((0, 1, length))
        text = text[:at] + piece + text[behind:]
        if generator.random() < 0.3:
            text = text[at:] + text[:at]
    return text


@pytest.mark.parametrize("length", [1, 3, 4, 5, 8, 9, 40])
@pytest.mark.parametrize("by_words", [False, True], ids=["characters", "words"])
def test_edited_copies_are_as_alike_as_their_sets(by_words: bool, length: int) -> None:
    generator, how = random.Random(length), Fold()
    text = "".join(generator.choices("abcdeい う漢Я ", k=2 * CHUNK + 900))
    texts = [text, *(edited(text, generator) for _ in range(12)), text[: length - 1], ""]
    pairs = np.array([(a, b) for a in range(len(texts)) for b in range(len(texts))])
    found = similarities(Texts.of(texts), pairs, shingling(by_words=by_words, length=length))
    sets = [python_shingles(text, by_words=by_words, length=length, how=how) for text in texts]
    for (a, b), similarity in zip(pairs.tolist(), found, strict=True):
        union = sets[a] | sets[b]
        assert similarity == (len(sets[a] & sets[b]) / len(union) if union else 0.0)


@pytest.mark.parametrize("how", FOLDS.values(), ids=FOLDS)
def test_digests_are_equal_where_folded_texts_are(how: Fold) -> None:
    alphabet = "Aaアｱあぁ漢國国é\u0301e ,、　ﾞ"
    texts = [random_text(seed, alphabet, 4) for seed in range(3_000)]
    digests = sign(Texts.of(texts), shingling(how=how), permutations=8, bands=4, rows=2).digests
    by_digest: dict[tuple[int, ...], set[str]] = {}
    for text, digest in zip(texts, digests.tolist(), strict=True):
        by_digest.setdefault(tuple(digest), set()).add(fold(text, how))
    folded = [fold(text, how) for text in texts]
    for same in by_digest.values():
        assert len(same) == 1
    # texts of which folding leaves nothing are told apart by what they were
    assert len(by_digest) >= len(set(folded))
    assert len([s for s in by_digest.values() if s != {""}]) == len(set(folded) - {""})


def test_every_code_point_and_hard_sequences_fold_as_defined() -> None:
    how = Fold()
    special = np.flatnonzero(fold_tables(how).folded[:0x33480] >= SPECIAL)
    generator = random.Random(1)
    points = [chr(point) for point in special.tolist() if not 0xD800 <= point < 0xE000]
    marks = [point for point in points if unicodedata.combining(point)]
    texts = [f"a{point}b" for point in points]
    for _ in range(5_000):
        letters = [
            generator.choice(generator.choice((points, marks, "aiか각ᄀ"))) for _ in range(5)
        ]
        texts.append("".join(letters))
    one = shingling(length=1, how=how)
    twins = [fold(text, how) for text in texts]
    digests = sign(Texts.of(texts), one, permutations=8, bands=4, rows=2).digests
    expected = sign(Texts.of(twins), one, permutations=8, bands=4, rows=2).digests
    differing = [text for text, twin, a, b in zip(texts, twins, digests, expected, strict=True)
                 if twin and (a != b).any()]  # fmt: skip
    assert differing == []


@pytest.mark.parametrize("length", [CHUNK - 1, CHUNK, CHUNK + 4, 3 * CHUNK + 1])
def test_chunks_change_nothing(length: int) -> None:
    text = "".join(random.Random(length).choices("あいうえお漢字ﬃ ", k=length))
    spelled = fold(text, Fold())
    how = shingling()
    first, second = (
        sign(Texts.of([t]), how, permutations=120, bands=20, rows=6) for t in (text, spelled)
    )
    assert (first.digests == second.digests).all()
    assert (first.places == second.places).all()
    assert first.shingles[0] == len(spelled) - 4
    assert similarities(Texts.of([text, spelled]), np.array([(0, 1)]), how)[0] == 1.0


def test_equal_places_estimate_the_similarity() -> None:
    generator = np.random.Generator(np.random.PCG64(1))
    for shared in (20, 60, 200, 900):
        words = [f"w{number}" for number in range(1_000)]
        estimates, truth = [], shared / 1_000
        for trial in range(60):
            drawn = generator.permutation(words).tolist()
            common, rest = drawn[:shared], drawn[shared:]
            left = common + rest[: len(rest) // 2]
            right = common + rest[len(rest) // 2 :]
            found = sketches(
                Texts.of([f" {trial} ".join(left), f" {trial} ".join(right)]),
                shingling(by_words=True, length=1), permutations=128,
            )  # fmt: skip
            estimates.append(np.mean(found[0] == found[1]))
        deviation = np.sqrt(truth * (1 - truth) / 128 / 60)
        assert abs(np.mean(estimates) - truth) < 5 * deviation + 0.003


def test_few_shingles_fill_all_places() -> None:
    found = sketches(Texts.of(["a", "ab", "あ" * 10_000, ""]), shingling(), permutations=256)
    assert (found[:3] != EMPTY).all()
    assert (found[3] == EMPTY).all()


def test_the_estimate_is_datasketchs_own() -> None:
    texts = [random_text(seed, "あいうえお", 400) for seed in range(20)]
    found = sketches(Texts.of(texts), shingling(length=2), permutations=120)
    objects = to_datasketch(found, seed=1)
    for a in range(20):
        for b in range(a):
            assert objects[a].jaccard(objects[b]) == np.mean(found[a] == found[b])


def test_pairs_share_bands_as_often_as_theory_says() -> None:
    generator = random.Random(5)
    left, right = [], []
    for _ in range(1_500):
        words = [f"w{generator.randrange(10**9)}" for _ in range(500)]
        left.append(" ".join(words[:400]))
        right.append(" ".join(words[100:]))
    how = shingling(by_words=True, length=1)
    first, second = (
        sign(Texts.of(t), how, permutations=60, bands=20, rows=3) for t in (left, right)
    )
    share = (first.bands == second.bands).any(axis=1).mean()
    assert share == pytest.approx(float(detection_probability(300 / 500, 20, 3)), abs=0.03)


def test_a_pair_below_what_is_asked_is_left() -> None:
    texts = Texts.of(["abcdefghij" * 3, "abcdefghij" * 2 + "klmnopqrst"])
    pair, how = np.array([(0, 1)]), shingling(length=2)
    truth = similarities(texts, pair, how)[0]
    assert 0 < truth < 1
    assert similarities(texts, pair, how, least=truth)[0] == truth
    assert similarities(texts, pair, how, least=truth + 1e-9)[0] == BELOW


def test_the_seed_changes_sketches_and_no_similarity() -> None:
    texts = Texts.of([random_text(seed, "abc", 300) for seed in range(10)])
    language, pairs = Language(code="ja"), np.array([(0, 1), (2, 3)])
    one, two = (Shingling.of(language, Dedup(seed=seed)) for seed in (1, 2))
    assert (sketches(texts, one, permutations=16) != sketches(texts, two, permutations=16)).any()
    assert (similarities(texts, pairs, one) == similarities(texts, pairs, two)).all()


def test_a_pair_exactly_at_the_threshold_reaches_it() -> None:
    # what differs comes first, and much that is shared behind it
    words = [f"w{number}" for number in range(10_000)]
    texts = Texts.of([" ".join(words[2_000:]), " ".join(words)])
    pair, how = np.array([(0, 1)]), shingling(by_words=True, length=1)
    assert similarities(texts, pair, how, least=0.8)[0] == 0.8
