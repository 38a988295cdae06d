"""datatrove's filters over documents: run_datatrove.py documents.jsonl LANGUAGE [each].

English goes through FineWeb's filters in its order, Japanese and Chinese through FineWeb-2's with
their thresholds, each with the words that datatrove gives the language (spaCy, SudachiPy, jieba).
With `each`, every filter alone; answers reasons by filter and id, the words of each document, and
what C4 makes of it when it does not count sentences.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import measure
from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.pipeline.filters.base_filter import BaseFilter, get_filter_result
from datatrove.utils.text import split_into_words

CODES = {"en": "eng_Latn", "ja": "jpn_Jpan", "zh": "cmn_Hani"}

# configs/{jpn_Jpan,cmn_Hani}.yml of huggingface/fineweb-2, the newest revision
FINEWEB2: dict[str, dict[str, Any]] = {
    "ja": {
        "dup_line_frac": 0.328,
        "top": (0.239, 0.196, 0.172),
        "dup": (0.243, 0.225, 0.207, 0.190, 0.175, 0.159),
        "line_punct_thr": 0.096,
        "new_line_ratio": 0.13,
        "max_avg_word_length": 6,
        "max_non_alpha_words_ratio": 0.759,
        "stop_words": list("のにをはたてがとで年し・月れさ"),
    },
    "zh": {
        "dup_line_frac": 0.287,
        "top": (0.256, 0.201, 0.171),
        "dup": (0.198, 0.182, 0.167, 0.154, 0.140, 0.127),
        "line_punct_thr": 0.106,
        "new_line_ratio": 0.178,
        "max_avg_word_length": 5,
        "max_non_alpha_words_ratio": 0.735,
        "stop_words": list("的年在月是和日了於·為有被人中为他與後也而由"),
    },
}


def fineweb() -> list[BaseFilter]:
    return [
        GopherRepetitionFilter(),
        GopherQualityFilter(),
        C4QualityFilter(filter_no_terminal_punct=False),
        FineWebQualityFilter(),
    ]


def fineweb2(language: str) -> list[BaseFilter]:
    limits, code = FINEWEB2[language], CODES[language]
    return [
        GopherRepetitionFilter(
            language=code,
            dup_para_frac=0,
            dup_line_char_frac=0,
            dup_para_char_frac=0,
            dup_line_frac=limits["dup_line_frac"],
            top_n_grams=tuple(zip((2, 3, 4), limits["top"], strict=True)),
            dup_n_grams=tuple(zip(range(5, 11), limits["dup"], strict=True)),
        ),
        FineWebQualityFilter(
            language=code,
            short_line_thr=999,
            char_duplicates_ratio=0.1,
            line_punct_thr=limits["line_punct_thr"],
            new_line_ratio=limits["new_line_ratio"],
        ),
        GopherQualityFilter(
            language=code,
            min_avg_word_length=1,
            max_avg_word_length=limits["max_avg_word_length"],
            max_non_alpha_words_ratio=limits["max_non_alpha_words_ratio"],
            stop_words=limits["stop_words"],
        ),
    ]


def pipeline(language: str) -> list[BaseFilter]:
    return fineweb() if language == "en" else fineweb2(language)


def kept(filters: list[BaseFilter], lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """As its executor chains them: each step draws on the one before."""
    rows = map(json.loads, lines)
    stream: Iterable[Document] = (Document(text=row["text"], id=row["id"]) for row in rows)
    for one in filters:
        stream = one.run(stream, 0, 1)
    for document in stream:
        row = {"id": document.id, "text": document.text}
        yield document.id, json.dumps(row, ensure_ascii=False)


def reasons_of_each(
    filters: list[BaseFilter], documents: measure.Documents
) -> dict[str, dict[str, str]]:
    return {
        type(one).__name__: {
            name: reason
            for name, text in documents
            for keeps, reason in [get_filter_result(one.filter(Document(text=text, id=name)))]
            if not keeps
        }
        for one in filters
    }


def c4_of_each(documents: measure.Documents) -> dict[str, list[str | None]]:
    """Reason and text by id, with no sentence asked for: how they are cut is the tokenizer's."""
    made = {}
    c4 = C4QualityFilter(min_num_sentences=-1)
    for name, text in documents:
        document = Document(text=text, id=name)
        keeps, reason = get_filter_result(c4.filter(document))
        made[name] = [None, document.text] if keeps else [reason, ""]
    return made


def each(documents: measure.Documents, language: str) -> dict[str, Any]:
    return {
        "reasons": reasons_of_each(pipeline(language), documents),
        "words": {name: split_into_words(text, CODES[language]) for name, text in documents},
        "c4": c4_of_each(documents),
    }


def main() -> None:
    path, language = sys.argv[1:3]
    if sys.argv[3:] == ["each"]:
        measure.answer(each(measure.read(path), language))
        return
    filters = pipeline(language)
    measure.answer(measure.measured(path, lambda lines: kept(filters, lines)))


if __name__ == "__main__":
    main()
