"""The same functions on a cluster of two nodes: the same results and the same errors."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nativize.artifact import file_digests, standalone
from nativize.clean import filter_shards
from nativize.crawl import read_crawl
from nativize.dedup import deduplicate
from nativize.dedup.corpus import count_fates
from nativize.engine import CorpusEngine, LocalEngine, RayEngine, engine_at
from nativize.engine.ray import Twin, run_call, versions
from nativize.errors import CorpusError, NativizeError
from nativize.quality import score_shards, train_quality_model
from nativize.recipe import Clean, Crawl, CrawlSource, Dedup, Quality
from tests.engine import tasks
from tests.engine.conftest import Cluster, free_port
from tests.quality.composed import JAPANESE, article, shuffled


@pytest.fixture(scope="module")
def engine(cluster: Cluster) -> RayEngine:
    return RayEngine(cluster.address)


def numbers(count: int) -> list[tuple[int]]:
    return [(number,) for number in range(count)]


def write_crawl(directory: Path) -> None:
    """Four files of twelve articles, every sixth of them noise, the first ones alike in all."""
    directory.mkdir()
    for file in range(4):
        texts = [article(100 * file + number) for number in range(12)]
        texts[:3] = [article(0), article(1) + str(file), article(2)[: 400 + 10 * file]]
        texts[5::6] = [shuffled(text, 1) for text in texts[5::6]]
        lines = (json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts)
        (directory / f"{file}.jsonl").write_text("".join(lines), encoding="utf-8")


def walk(crawl: Path, out: Path, model: Path, engine: CorpusEngine) -> dict[str, dict[str, str]]:
    """The corpus stages; the digests of their files. Fits a missing model."""
    with standalone(out / "raw") as place:
        sources = Crawl(source=(CrawlSource(name="web", path="*.jsonl"),))
        read_crawl(place, crawl=sources, directory=crawl, engine=engine)
    with standalone(out / "filtered") as place:
        filter_shards(out / "raw", place, language=JAPANESE, clean=Clean(), engine=engine)
    if not model.exists():
        with standalone(model) as place:
            train_quality_model(
                out / "filtered", place, language=JAPANESE, quality=Quality(order=3), engine=engine
            )
    with standalone(out / "scored") as place:
        score_shards(out / "filtered", model, place, engine=engine)
    with standalone(out / "corpus") as place:
        deduplicate(
            out / "scored", place, language=JAPANESE, dedup=Dedup(threshold=0.5), buckets=None,
            engine=engine,
        )  # fmt: skip
    return {name: file_digests(out / name) for name in ("raw", "filtered", "scored", "corpus")}


def test_a_walk_on_two_nodes_writes_the_bytes_of_a_walk_here(
    engine: RayEngine, tmp_path: Path
) -> None:
    crawl, model = tmp_path / "crawl", tmp_path / "model"
    write_crawl(crawl)
    here = walk(crawl, tmp_path / "one", model, LocalEngine(1))
    shards = [sum(name.endswith(".parquet") for name in files) for files in here.values()]
    # of the corpus: four with documents, four with their fates, clusters
    assert shards == [4, 4, 4, 9]
    assert count_fates(tmp_path / "one" / "corpus")["near_duplicate"] >= 3
    assert walk(crawl, tmp_path / "two", model, LocalEngine(2)) == here
    assert walk(crawl, tmp_path / "cluster", model, engine) == here


def test_both_nodes_work(engine: RayEngine) -> None:
    assert len(set(engine.map(tasks.node_of, numbers(6), "nodes"))) == 2


def test_results_stand_in_the_order_of_the_calls(engine: RayEngine) -> None:
    assert engine.map(tasks.slow_first, numbers(5), "order") == list(range(5))


def test_a_client_outside_the_cluster_gets_the_same_results(cluster: Cluster) -> None:
    client = RayEngine(cluster.client_address)
    assert client.map(tasks.square, numbers(4), "client") == [0, 1, 4, 9]


def test_a_client_that_failed_does_not_stand_in_the_way_of_the_next_connection(
    engine: RayEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ray.util.client.worker.INITIAL_TIMEOUT_SEC", 1)
    with pytest.raises(NativizeError, match="no Ray cluster answers at ray://"):
        RayEngine(f"ray://{engine.address}").map(tasks.square, numbers(1), "no client server")
    assert engine.map(tasks.square, numbers(2), "after") == [0, 1]


def test_an_error_of_a_task_is_raised_as_it_was_there(engine: RayEngine) -> None:
    with pytest.raises(CorpusError, match=r"^document 1 is refused$"):
        engine.map(tasks.refuse, numbers(3), "refuse")


def test_the_first_failure_stops_the_rest(cluster: Cluster, tmp_path: Path) -> None:
    calls = [(number, tmp_path) for number in range(50)]
    with pytest.raises(CorpusError, match="the first is refused"):
        RayEngine(cluster.address, workers=2).map(tasks.refuse_first, calls, "refuse")
    assert len(list(tmp_path.iterdir())) < 5


def test_a_worker_that_dies_is_named_with_what_to_do(engine: RayEngine) -> None:
    with pytest.raises(NativizeError, match=r"died .*lower \[engine\] workers"):
        engine.map(tasks.die, numbers(2), "die")
    assert engine.map(tasks.square, numbers(2), "after") == [0, 1]


def test_a_worker_that_cannot_import_the_function_is_named(
    engine: RayEngine, tmp_path: Path
) -> None:
    (tmp_path / "only_here.py").write_text("def twice(number):\n    return 2 * number\n")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import only_here\n"
        "from nativize.engine import RayEngine\n"
        "RayEngine(sys.argv[2]).map(only_here.twice, [(1,)], 'twice')\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path), engine.address]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "NativizeError" in result.stderr and "only_here" in result.stderr, result.stderr


def test_a_path_that_a_worker_does_not_see_is_named(tmp_path: Path) -> None:
    twin = Twin(versions(), (tmp_path / "elsewhere",))
    with pytest.raises(NativizeError, match=r"elsewhere is not there.*shared file system"):
        run_call(twin, tasks.square, (1,))


def test_a_worker_of_another_version_is_refused() -> None:
    with pytest.raises(NativizeError, match="same versions on all machines"):
        run_call(Twin({**versions(), "nativize": "0.0.0"}, ()), tasks.square, (1,))


def test_an_address_where_nothing_listens_is_named_at_once() -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'nativize[cluster]'")
    with pytest.raises(NativizeError, match="no Ray cluster answers"):
        RayEngine(f"127.0.0.1:{free_port()}").map(tasks.square, numbers(1), "square")


def test_no_calls_need_no_cluster() -> None:
    assert RayEngine("127.0.0.1:1").map(tasks.square, [], "nothing") == []


def test_ray_is_imported_only_where_it_is_named() -> None:
    program = "import sys, nativize.engine; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_without_ray_the_message_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['ray'] = None\n"
        "from nativize.engine import RayEngine\n"
        "RayEngine('auto').map(print, [(1,)], 'print')\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert "pip install 'nativize[cluster]'" in result.stderr


@pytest.mark.parametrize(
    ("address", "engine"), [(None, LocalEngine(3)), ("auto", RayEngine("auto", 3))]
)
def test_an_address_chooses_the_engine(address: str | None, engine: CorpusEngine) -> None:
    assert engine_at(address, 3) == engine
