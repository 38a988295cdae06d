"""JSON documents: where objects end, which fields count, and what a broken one costs."""

import gzip
import json
import tarfile
import tracemalloc

import pytest
import zstandard

OBJECTS = [{"text": '一"}]{[\\'}, {"text": "二", "more": {"a": [{"b": "}"}]}}, {"text": "三"}]


@pytest.mark.parametrize(
    "layout",
    [
        json.dumps(OBJECTS),
        json.dumps(OBJECTS, indent=2),
        json.dumps(OBJECTS, ensure_ascii=False, indent=None, separators=(",", ":")),
        "\ufeff" + json.dumps(OBJECTS, ensure_ascii=False),
        "\n".join(map(json.dumps, OBJECTS)),
        "\n\n".join(json.dumps(row, indent=1) for row in OBJECTS),
    ],
    ids=["array", "indented", "dense", "byte order mark", "lines", "one after another"],
)
def test_every_layout_reads_alike(read, layout):
    found = read("a.json", layout.encode())
    assert found.texts == ['一"}]{[\\', "二", "三"]
    assert not found.quarantined


def test_a_single_object_is_a_document(read):
    assert read("a.json.gz", gzip.compress(b'{\n "text": "x"\n}')).texts == ["x"]


def test_strings_may_span_the_pieces_that_are_read(read):
    texts = ['\\"' * n for n in range(30_000, 30_040)]
    found = read("a.json", json.dumps([{"text": text} for text in texts]).encode(), 10_000_000)
    assert found.texts == texts


def test_a_list_of_texts_is_joined_by_newlines(read):
    row = [{"author": "李白", "paragraphs": ["床前明月光，", "疑是地上霜。"]}]
    found = read("a.json", json.dumps(row).encode(), text_field="paragraphs")
    assert found.texts == ["床前明月光，\n疑是地上霜。"]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_dotted_names_reach_nested_fields(read, name):
    row = {"a": {"b.c": {"d": "x"}, "e": "y"}, "f.g": "z"}
    texts = [read(name, json.dumps(row).encode(), text_field=f).texts for f in ("a.e", "f.g")]
    assert texts == [["y"], ["z"]]


def test_oscar_fields_are_known(read):
    row = {
        "content": "雨です。",
        "warc_headers": {"warc-target-uri": "https://a.example/", "warc-date": "2022-01-01T00:00Z"},
        "metadata": {"identification": {"label": "ja", "prob": 0.9}, "annotation": None},
    }
    found = read("a.jsonl", json.dumps(row).encode(), text_field="content").documents[0]
    assert (found.url, found.fetched_at, found.language) == (
        "https://a.example/",
        "2022-01-01T00:00Z",
        "ja",
    )


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ('{"text": 7}', "missing or no valid text"),
        ('{"text" "x"}', "no JSON"),
        ('"text"', "no JSON"),
        ('{"text": "' + "長" * 2000 + '"}', "max_document_bytes"),
        ('{"text": ["a", 1]}', "missing or no valid text"),
    ],
)
def test_a_bad_element_costs_that_element(read, bad, reason):
    data = f'[{{"text": "一"}}, {bad}, {{"text": "三"}}]'.encode()
    found = read("a.json", data, maximum_bytes=1000)
    assert found.texts == ["一", "三"]
    assert [reason in item.reason for item in found.quarantined] == [True]


def test_an_object_that_never_ends_is_quarantined_with_the_rest(read):
    found = read("a.json", b'[{"text": "x"}, {"text": "y, {"text": "z"}]')
    assert found.texts == ["x"]
    assert len(found.quarantined) == 1


def test_tang_poems_are_read_from_their_paragraphs(read, shared_data, tmp_path):
    with (shared_data / "text" / "zh_poetry_tang.tar.zst").open("rb") as pack:
        stream = zstandard.ZstdDecompressor().stream_reader(pack)
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            data = next(tar.extractfile(m).read() for m in tar if "/poet.tang." in m.name)
    found = read("a.json", data, 10_000_000, text_field="paragraphs")
    assert len(found.documents) + len(found.dropped) == len(json.loads(data))
    assert len(found.documents) > 900


def test_an_object_over_the_bound_is_not_held(read):
    data = json.dumps([{"text": "一"}, {"text": "x" * 30_000_000}, {"text": "三"}]).encode()
    tracemalloc.start()
    found = read("a.json", data, maximum_bytes=100_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.texts == ["一", "三"]
    assert peak < 5_000_000


def test_damage_of_one_member_keeps_the_objects_of_the_next(read):
    first, second, third = (
        gzip.compress(json.dumps({"text": text * 100}, indent=1).encode()) for text in "一二三"
    )
    found = read("a.json.gz", first + second[:-12] + third)
    assert [text[0] for text in found.texts] == ["一", "三"]
    assert found.quarantined
