"""Reading hand-made bytes as a crawl file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nativize.crawl.formats import BY_NAME
from nativize.crawl.sources import crawl_files
from nativize.recipe import Crawl, CrawlSource
from tests.crawl.crawl_files import Read


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Read]:
    """Read bytes as if they were a crawl file of that name."""

    def read(name: str, data: bytes, maximum_bytes: int = 1_000_000, **options: Any) -> Read:
        path = tmp_path / name
        path.write_bytes(data)
        source = CrawlSource(name="s", path=name, **options)
        (file,) = crawl_files(Crawl(source=(source,)), tmp_path)
        return Read(list(BY_NAME[file.format].read(file, maximum_bytes)))

    return read
