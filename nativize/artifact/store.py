"""The artifact store: the guard that makes "only what is stale" true.

Layout under the root::

    values/<stage>/<fingerprint>/      a value: files and record.json (written last)
    shards/<stage>/<fingerprint>/      one finished shard, linked into values
    work/<stage>/<fingerprint>/        where an unfinished value grows; a killed training resumes
    current/<recipe>/<stage>.json      which value this recipe has now, and which it had before
    locks/<stage>.lock

Values are shared by all recipes; only the pointers are a recipe's own. Nothing in a value is
ever changed after its rename.
"""

import errno
import functools
import importlib.metadata
import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nativize.artifact.files import (
    content_digest,
    describe_files,
    link_file,
    publish_directory,
    write_json,
)
from nativize.artifact.fingerprint import difference, fingerprint
from nativize.artifact.lock import exclusive
from nativize.artifact.record import Artifact, Record, read_artifact
from nativize.artifact.shards import ShardCache
from nativize.artifact.stage import Report, Stage
from nativize.errors import ArtifactError

log = logging.getLogger(__name__)

LIBRARIES = ("numpy", "pyarrow", "kenlm", "sentencepiece", "torch", "transformers", "peft", "gguf")


@dataclass(frozen=True)
class Workplace:
    """Where one value grows.

    Attributes:
        out: empty directory; its files become the value.
        scratch: kept when the build dies, found again by the same fingerprint; for resuming.
        shards: finished shards of this stage.
        previous: the value that this recipe had before, if any; what is taken from it may save
            time, never change a result.
    """

    out: Path
    scratch: Path
    shards: ShardCache
    previous: Path | None = None

    def link(self, source: Path, target: Path) -> None:
        """A file of an input also at ``target`` in the value, without reading it again."""
        link_file(source, target)
        self.shards.remember_input(source, target)

    def step(self, name: str) -> "Workplace":
        """A workplace for one step inside this stage; its output stays in the scratch."""
        out = self.scratch / name
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        identity = {**self.shards.identity, "step": name}
        shards = replace(self.shards, identity=identity)
        return Workplace(out, self.scratch / f"{name}-scratch", shards)


Build = Callable[[Workplace], Report]


@dataclass(frozen=True)
class Inputs:
    """What a value is made of: values of earlier stages, and digests of what lies outside."""

    artifacts: tuple[Artifact, ...] = ()
    outside: Mapping[str, str] = field(default_factory=dict)

    def digests(self) -> dict[str, str]:
        return {**{a.record.stage: a.content for a in self.artifacts}, **self.outside}


@dataclass(frozen=True)
class ArtifactStore:
    """The values and pointers of one recipe in one store."""

    root: Path
    recipe: str

    def current(self, stage: str) -> Artifact:
        """This recipe's value of a stage.

        Raises:
            ArtifactError: it was never made or its files are gone; says what to materialise.
        """
        pointer = self._pointer(stage)
        if pointer is None:
            raise ArtifactError(
                f"{stage} of recipe '{self.recipe}' has no value yet; materialise {stage} first"
            )
        artifact = read_artifact(self.root / "values" / stage / pointer["value"])
        if not artifact.is_whole():
            raise ArtifactError(f"{artifact.path}: files are missing; materialise {stage} again")
        return artifact

    def previous_payload(self, stage: str) -> Mapping[str, Any] | None:
        """The payload of this recipe's current value, if it ever had one."""
        pointer = self._pointer(stage)
        return pointer["payload"] if pointer else None

    def payload(
        self, stage: Stage, recipe_slice: Mapping[str, Any], inputs: Inputs
    ) -> dict[str, Any]:
        """A value's identity: stage, version, recipe slice, content of the inputs."""
        return {
            "stage": stage.name,
            "version": stage.version,
            "recipe": dict(recipe_slice),
            "inputs": inputs.digests(),
        }

    def find(
        self,
        stage: Stage,
        recipe_slice: Mapping[str, Any],
        inputs: Inputs,
        *,
        refit: str = "always",
    ) -> Artifact | None:
        """The stored value that makes work needless, with the reason, or None."""
        payload = self.payload(stage, recipe_slice, inputs)
        exact = self._value(stage.name, fingerprint(payload))
        if exact:
            return replace(exact, reused=True, why=("same fingerprint: nothing it reads changed",))
        if refit != "on_recipe_change":
            return None
        lineage = _lineage(stage, recipe_slice, inputs)
        for artifact in self._values(stage.name):
            record = artifact.record
            if (record.recipe, record.lineage) != (self.recipe, lineage):
                continue
            if _without_data(stage, record.payload) == _without_data(stage, payload):
                why = "fitted once: data changed, recipe did not (refit = on_recipe_change)"
                return replace(artifact, reused=True, why=(why,))
        return None

    def materialise(
        self,
        stage: Stage,
        recipe_slice: Mapping[str, Any],
        inputs: Inputs,
        build: Build,
        *,
        refit: str = "always",
        force: bool = False,
    ) -> Artifact:
        """The stage's value for these inputs: found if it exists, built and published if not.

        Args:
            stage: what is made.
            recipe_slice: the identity of the recipe sections that the stage reads.
            inputs: the values it reads and digests of what it reads outside the store.
            build: fills a directory and reports; whatever it raises leaves nothing published.
            refit: "on_recipe_change" keeps a fitted value although the data changed.
            force: build although a value exists.
        """
        with exclusive(self.root / "locks" / f"{stage.name}.lock", stage.name):
            log.info("%s: begins", stage.name)
            found = None if force else self.find(stage, recipe_slice, inputs, refit=refit)
            artifact = found or self._build(stage, recipe_slice, inputs, build, force=force)
            self._point(artifact)
        _say(artifact)
        return artifact

    def _build(
        self,
        stage: Stage,
        recipe_slice: Mapping[str, Any],
        inputs: Inputs,
        build: Build,
        *,
        force: bool,
    ) -> Artifact:
        payload = self.payload(stage, recipe_slice, inputs)
        why = ["forced"] if force else difference(self.previous_payload(stage.name), payload)
        started = time.time()
        work = self.root / "work" / stage.name / fingerprint(payload)
        if force:
            shutil.rmtree(work, ignore_errors=True)
        place = _workplace(work, self._shard_cache(stage, recipe_slice, work, force=force))
        place = replace(place, previous=self._previous(stage.name))
        with _named_if_disk_is_full(stage, self.root):
            report = build(place)
        if report.accounts:
            report.accounts.verify(stage.name)
        linked = place.shards.known_digests()
        files = describe_files(place.out, linked)
        record = Record(
            stage=stage.name,
            recipe=self.recipe,
            fingerprint=fingerprint(payload),
            payload=payload,
            lineage=_lineage(stage, recipe_slice, inputs),
            content=content_digest(files, stage.volatile),
            files=files,
            report=report.to_json(),
            shards=sorted(place.shards.used),
            why=why,
            started=started,
            seconds=time.time() - started,
            libraries=_versions(),
        )
        write_json(place.out / "record.json", record.to_json())
        final = self._free_name(stage.name, record.fingerprint)
        publish_directory(place.out, final, on_disk=linked)
        shutil.rmtree(work)
        return Artifact(final, record, why=tuple(why))

    def _shard_cache(
        self, stage: Stage, recipe_slice: Mapping[str, Any], work: Path, *, force: bool
    ) -> ShardCache:
        reads = stage.reads if stage.shard_reads is None else stage.shard_reads
        recipe = {path: recipe_slice[path] for path in recipe_slice if path in reads}
        identity = {"name": stage.name, "version": stage.version, "recipe": recipe}
        place = work / "shards" if force else self.root / "shards" / stage.name
        return ShardCache(place, identity)

    def _point(self, artifact: Artifact) -> None:
        stage = artifact.record.stage
        pointer = self._pointer(stage)
        if pointer and pointer["value"] == artifact.path.name:
            return
        write_json(
            self._pointer_path(stage),
            {
                "value": artifact.path.name,
                "payload": artifact.record.payload,
                "previous": pointer and pointer["value"],
                "why": list(artifact.why),
                "difference": difference(pointer and pointer["payload"], artifact.record.payload),
            },
        )

    def _previous(self, stage: str) -> Path | None:
        """The directory of this recipe's current value."""
        pointer = self._pointer(stage)
        return self.root / "values" / stage / pointer["value"] if pointer else None

    def _pointer_path(self, stage: str) -> Path:
        return self.root / "current" / self.recipe / f"{stage}.json"

    def _pointer(self, stage: str) -> dict[str, Any] | None:
        path = self._pointer_path(stage)
        if not path.exists():
            return None
        pointer: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return pointer

    def _value(self, stage: str, wanted: str) -> Artifact | None:
        return next(self._values(stage, f"{wanted}*"), None)

    def _values(self, stage: str, names: str = "*") -> Iterator[Artifact]:
        """Whole values of a stage, newest first."""
        directory = self.root / "values" / stage
        found = [read_artifact(path.parent) for path in directory.glob(f"{names}/record.json")]
        for artifact in sorted(found, key=lambda a: a.record.started, reverse=True):
            if artifact.is_whole():
                yield artifact

    def _free_name(self, stage: str, wanted: str) -> Path:
        """Where a value goes; a forced rebuild stands beside the value it repeats."""
        directory = self.root / "values" / stage
        names = [wanted, *(f"{wanted}.{number}" for number in range(1, 1000))]
        return next(directory / name for name in names if not (directory / name).exists())


@contextmanager
def standalone(out: Path) -> Iterator[Workplace]:
    """A workplace outside any store, published as the directory ``out`` when the block ends well.

    Raises:
        ArtifactError: ``out`` exists and is not empty; nothing is ever overwritten.
    """
    if out.exists() and any(out.iterdir()):
        raise ArtifactError(f"{out}: exists and is not empty; name another output directory")
    work = out.with_name(f".{out.name}.work")
    place = _workplace(work, ShardCache(work / "shards", {}))
    yield place
    if out.exists():
        out.rmdir()
    publish_directory(place.out, out)
    shutil.rmtree(work)


def _workplace(work: Path, shards: ShardCache) -> Workplace:
    out = work / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    scratch = work / "scratch"
    scratch.mkdir(exist_ok=True)
    return Workplace(out, scratch, shards)


@contextmanager
def _named_if_disk_is_full(stage: Stage, root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise ArtifactError(
            f"{stage.name}: no space left on the disk of {root}; nothing was published."
            " Free some (`nativize gc` says what the store no longer needs) and materialise again:"
            " finished shards and checkpoints are kept."
        ) from error


def _say(artifact: Artifact) -> None:
    done = "reused" if artifact.reused else f"built in {artifact.record.seconds:.1f} s"
    why = "; ".join(artifact.why[:3]) + (" …" if len(artifact.why) > 3 else "")
    log.info("%s: %s (%s)", artifact.record.stage, done, why)


def _without_data(stage: Stage, payload: Mapping[str, Any]) -> dict[str, Any]:
    """A payload without the digests of the data that a fitted stage may outlive."""
    data = stage.fitted_to or stage.inputs
    kept = {name: digest for name, digest in payload["inputs"].items() if name not in data}
    return {**payload, "inputs": kept}


def _lineage(stage: Stage, recipe_slice: Mapping[str, Any], inputs: Inputs) -> str:
    """The recipe behind a value, all the way up, without data and versions."""
    upstream = {artifact.record.stage: artifact.record.lineage for artifact in inputs.artifacts}
    return fingerprint({"stage": stage.name, "recipe": dict(recipe_slice), "inputs": upstream})


@functools.cache
def _versions() -> dict[str, str]:
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
