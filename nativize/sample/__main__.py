"""``python -m nativize.sample OUT``: write the sample crawl, or let it grow by one file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from nativize.errors import NativizeError
from nativize.sample import add_crawl_file, write_sample


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        if options.add is None:
            _print_table(write_sample(options.out, seed=options.seed, scale=options.scale))
        else:
            print(add_crawl_file(options.out, number=options.add, seed=options.seed))
    except NativizeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m nativize.sample", description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write into")
    parser.add_argument("--scale", type=float, default=1.0, help="1.0 is 3.5 MB of Japanese")
    parser.add_argument("--seed", type=int, default=0, help="equal seeds write equal bytes")
    parser.add_argument(
        "--add", type=int, metavar="NUMBER", help="write only crawl/jsonl/news-NUMBER, a new file"
    )
    return parser


def _print_table(counts: dict[str, int]) -> None:
    width = max(map(len, counts))
    for kind, count in counts.items():
        print(f"{kind:<{width}}  {count:>6,}")


if __name__ == "__main__":
    raise SystemExit(main())
