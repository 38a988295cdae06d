"""What a source's `cleaner` takes out of each of its texts, before anything else sees them."""

from collections.abc import Callable, Mapping

from nativize.crawl.aozora import without_aozora_markup
from nativize.crawl.gutenberg import without_gutenberg_licence

CLEANERS: Mapping[str, Callable[[str], str]] = {
    "none": str,
    "aozora": without_aozora_markup,
    "gutenberg": without_gutenberg_licence,
}
