"""A user's lists: URLs, domains, words and takedown requests, each in a form that people write."""

import pyarrow as pa
import pytest

from nativize.clean.lists import BlockedUrls, Words, canonical_url, domains_of
from nativize.clean.takedown import read_takedowns, taken_down
from nativize.errors import RecipeError
from nativize.recipe.clean import WordList
from nativize.texts import Texts

ID, SHA256 = "0123456789abcdef" * 2, "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://www.Example.org/a/", "http://example.org:80/a#top"),
        ("https://example.org", "http://example.org/"),
        ("https://user:pass@example.org/x?q=1", "http://example.org/x?q=1"),
    ],
)
def test_urls_are_compared_in_one_form(url, same):
    assert canonical_url(url) == canonical_url(same)


def test_a_broken_url_is_compared_as_it_is():
    assert canonical_url("http://[x") == "http://[x"
    assert domains_of("http://[x") == []
    assert canonical_url("http://example.org:99999/") == "http://example.org:99999/"


def test_a_domain_blocks_its_subdomains_and_a_prefix_what_lies_below(tmp_path):
    path = tmp_path / "urls.txt"
    path.write_text("# spam\nspam.example\n\nhttps://blog.example/ads\nwww.shop.example/x\n")
    urls = BlockedUrls.read(path)
    blocked = ["http://spam.example/", "https://a.b.spam.example/c", "http://blog.example/ads/1",
               "https://shop.example/x/y"]  # fmt: skip
    free = ["http://nospam.example/", "http://blog.example/", "http://shop.example/", "", "x"]
    assert [urls.blocks(url) for url in blocked + free] == [True] * 4 + [False] * 5


@pytest.mark.parametrize(
    ("whole", "options", "dropped"),
    [
        (False, {}, [True, True, True, False]),
        (True, {}, [True, False, True, False]),
        (False, {"maximum_count": 1}, [False, False, True, False]),
        (False, {"maximum_share": 0.5}, [False, False, True, False]),
    ],
)
def test_a_list_of_words_drops_by_count_or_by_share(tmp_path, whole, options, dropped):
    path = tmp_path / "words.txt"
    path.write_text("Bad\nbad word\n")
    words = Words.read(WordList(name="x", path="words.txt", **options), path, whole=whole)
    texts = ["so BAD indeed, this", "badly said here now", "bad bad word", "good"]
    assert words.dropped(Texts.of(texts)).tolist() == dropped


def test_a_list_without_words_is_refused(tmp_path):
    (tmp_path / "words.txt").write_text("# nothing\n")
    with pytest.raises(RecipeError, match="holds no word"):
        Words.read(WordList(name="x", path="words.txt"), tmp_path / "words.txt", whole=False)


def test_a_takedown_request_is_a_url_a_domain_an_id_or_a_digest(tmp_path):
    path = tmp_path / "takedown.txt"
    path.write_text(f"{ID.upper()}\n{SHA256}\nhttp://a.example/p/\nb.example\n# no more\n")
    entries = read_takedowns(path)
    rows = pa.table(
        {
            "id": [ID, "1", "2", "3", "4", "5"],
            "sha256": ["", SHA256, "", "", "", ""],
            "url": ["", "", "https://www.a.example/p", "http://x.b.example/", "http://a.example/q",
                    ""],
        }
    )  # fmt: skip
    assert taken_down(rows, sorted(entries)).tolist() == [True] * 4 + [False] * 2


def test_a_line_that_is_no_request_is_refused_with_its_number(tmp_path):
    path = tmp_path / "takedown.txt"
    path.write_text("a.example\nplease remove me\n")
    with pytest.raises(RecipeError, match=r"takedown.txt, line 2: 'please remove me'"):
        read_takedowns(path)
