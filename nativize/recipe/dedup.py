"""The section [dedup]: what counts as the same, and what of it goes on."""

from pydantic import Field, model_validator

from nativize.recipe.section import EXECUTION, Positive, Section, Share


class Fold(Section):
    """What two texts are compared as; the corpus keeps its own text.

    Compatibility form (NFKC), case and runs of blank space are always folded.
    """

    punctuation: bool = Field(True, description="Punctuation parts words as a space does.")
    kana: bool = Field(
        False, description="Old and small kana as today's large ones: ゐ い, ふ う, っ つ, ぢ じ."
    )
    kanji: bool = Field(
        False, description="Old, traditional and simplified forms of a character as one: 國 国."
    )


class FrequentLines(Section):
    """Lines that stand in many documents (boilerplate) stay in the best of them alone."""

    minimum_documents: int = Field(
        10, ge=2, description="From how many documents on a line is cut; CCNet: 2."
    )
    minimum_characters: Positive = Field(
        10, description="Shorter lines, such as a dialogue's, are never cut."
    )


class Decontamination(Section):
    """Documents that hold a piece of an evaluation set are dropped and reported."""

    files: tuple[str, ...] = Field(
        min_length=1,
        description="Globs of evaluation sets, relative to the recipe: .jsonl, .json, .csv, .txt…",
        json_schema_extra={EXECUTION: True},
    )
    words: int = Field(
        13,
        ge=1,
        le=300,
        description="Length of a shared piece (GPT-3: 13); without spaces two characters a word.",
    )


class Dedup(Section):
    """Evaluation sets; duplicates by URL, text, similarity and line; the held-out split."""

    url: bool = Field(
        False, description="One document per URL; off, for parts of a page share its URL."
    )
    exact: bool = Field(True, description="One document per folded text.")
    near: bool = Field(True, description="One document per cluster of similar ones (MinHash).")
    verify: bool = Field(True, description="Compare every candidate pair exactly.")
    threshold: Share = Field(0.8, description="Jaccard similarity from which two are duplicates.")
    shingle_length: int = Field(5, ge=1, le=1_000, description="Characters, words or syllables.")
    permutations: Positive = Field(120, description="Hash functions of a signature.")
    bands: Positive | None = Field(
        None, description="With rows; left out, the optimum for threshold and permutations."
    )
    rows: Positive | None = None
    fold: Fold = Field(default_factory=Fold)
    lines: FrequentLines | None = Field(
        None, description="Off unless given: FineWeb measured that it made models worse."
    )
    decontamination: Decontamination | None = Field(None, description="Off unless given.")
    heldout_share: Share = Field(0.02, description="Share of clusters held out for evaluation.")
    seed: int = 1

    @model_validator(mode="after")
    def _bands_with_rows(self) -> "Dedup":
        if (self.bands is None) != (self.rows is None):
            raise ValueError("bands and rows: give both or none")
        return self
