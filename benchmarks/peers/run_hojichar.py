"""HojiChar's filters over documents: run_hojichar.py documents.jsonl PIPELINE.

PIPELINE is `standard` (eleven filters without a tagger, and placeholders for personal data, as ours
puts them in), `words` (with word repetition by fugashi too) or `each` (every filter alone; answers
the ids that it drops, the list of advertising words and fugashi's words of each document).
"""

import sys
from collections.abc import Iterable, Iterator

import measure
from fugashi import Tagger
from hojichar import Compose, Document, document_filters

LEAST_CHARACTERS, MOST_CHARACTERS = 100, 200_000
"""HojiChar's length filter has no bounds of its own; these are our recipe's."""


def standard() -> list[object]:
    """Normalisation and the filters of Japanese text that look at no list of bad words."""
    return [
        document_filters.DocumentNormalizer(),
        document_filters.DocumentLengthFilter(LEAST_CHARACTERS, MOST_CHARACTERS),
        document_filters.AcceptJapanese(),
        document_filters.DiscardBBSComments(),
        document_filters.DiscardAds(),
        document_filters.DiscardRareKuten(),
        document_filters.CharRepetitionRatioFilter(),
        document_filters.DiscardTooManySpecialToken(),
        document_filters.SingleCharacterRepetitionFilter(),
        document_filters.DiscardTooManyEndingEllipsis(),
        document_filters.DiscardTooShortLines(),
        document_filters.MaskPersonalInformation(),
    ]


def with_words() -> list[object]:
    return [*standard(), document_filters.WordRepetitionRatioFilter()]


def kept(pipeline: Compose, lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        document = pipeline.apply(Document(line))
        if not document.is_rejected:
            yield document.extras["id"], document.text


def from_json_to_json(filters: list[object]) -> Compose:
    load = document_filters.JSONLoader(extra_keys=["id"])
    dump = document_filters.JSONDumper(skip_rejected=True, export_extras=True)
    return Compose([load, *filters, dump])


def dropped_by_each(documents: measure.Documents) -> dict[str, list[str]]:
    """The ids that each filter drops of the texts as they are, not normalised."""
    return {
        type(one).__name__: [
            name for name, text in documents if one.apply(Document(text)).is_rejected
        ]
        for one in with_words()[1:]
    }


def each(documents: measure.Documents) -> dict[str, object]:
    tagger = Tagger("-Owakati")
    advertising = document_filters.BASE_PATH / "dict" / "advertisement_keywords_ja.txt"
    return {
        "dropped": dropped_by_each(documents),
        "advertising": advertising.read_text("utf-8").split("\n"),
        "words": {name: [word.surface for word in tagger(text)] for name, text in documents},
    }


def main() -> None:
    if sys.argv[2] == "each":
        measure.answer(each(measure.read(sys.argv[1])))
        return
    pipeline = from_json_to_json({"standard": standard, "words": with_words}[sys.argv[2]]())
    measure.answer(measure.measured(sys.argv[1], lambda lines: kept(pipeline, lines)))


if __name__ == "__main__":
    main()
