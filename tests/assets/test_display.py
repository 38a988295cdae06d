"""Corpus text in the UI: shown as it is, never obeyed."""

import re

import pytest

from assets.display import escaped, metadata_of
from nativize.artifact import Accounts, Artifact, Count, Report, write_json
from nativize.artifact.record import Record

EVIL = [
    "<script>alert(1)</script>",
    "![x](http://evil.example/x.png)",
    "[click](javascript:alert(1))",
    "| a | b |\n|---|",
    "`code` **bold** # head",
    "<img src=x onerror=alert(1)>",
    "&lt;b&gt;",
]


def value(directory, rows):
    (directory / "report").mkdir()
    write_json(directory / "report" / "samples.json", {"columns": ["reason", "text"], "rows": rows})
    accounts = Accounts(Count(10, 20, 30), Count(6, 12, 18), dropped={"b": Count(1, 2, 3)})
    accounts.dropped["a"] = Count(3, 6, 9)
    report = Report({"documents": 6}, accounts).to_json()
    record = Record("s", "r", "f", {}, "", "", {}, report, [], [], 0.0, 1.0, {})
    return Artifact(directory, record, why=("first <build>",))


@pytest.mark.parametrize("text", EVIL)
def test_text_cannot_speak_to_the_ui(tmp_path, text):
    shown = metadata_of(value(tmp_path, [["kept", text]]))
    table = shown["samples"].value
    assert not re.search("[<>*`!()]|\\[", table)
    assert table.count("\n") == 2, "a row stays one row"


def test_a_table_and_a_picture_of_one_name_are_both_shown(tmp_path):
    made = value(tmp_path, [["kept", "text"]])
    (tmp_path / "report" / "samples.png").write_bytes(b"a picture")
    shown = metadata_of(made)["samples"].value
    assert "| kept | text |" in shown
    assert "](data:image/png;base64," in shown


def test_escaped_text_reads_as_it_was():
    import html

    assert html.unescape(escaped("".join(EVIL))) == "".join(EVIL)


def test_the_funnel_adds_up_from_the_largest_loss(tmp_path):
    rows = metadata_of(value(tmp_path, []))["accounts"].records
    names = [row.data[""] for row in rows]
    assert names == ["entered", "dropped: a", "dropped: b", "quarantined", "kept"]
    assert [row.data["share of documents"] for row in rows] == [
        "100.0 %", "30.0 %", "10.0 %", "0.0 %", "60.0 %",
    ]  # fmt: skip
