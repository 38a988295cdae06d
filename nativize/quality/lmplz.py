"""Builds KenLM's `lmplz` and `build_binary`: `python -m nativize.quality.lmplz`.

The source is the same distribution that pip makes the `kenlm` wheel of, checked by its digest.
About a minute on two cores; needs a C++ compiler, cmake, make and Boost. Where Boost is missing
on Debian or Ubuntu its packages are unpacked into a private directory and linked statically,
which needs no root; zlib, bzip2 and lzma are only for compressed input and may be missing.
"""

import argparse
import logging
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from nativize.artifact import sha256_of, write_atomically
from nativize.artifact.lock import exclusive
from nativize.errors import NativizeError, ToolMissingError
from nativize.quality.programs import (
    KENLM_VERSION,
    PROGRAMS,
    cache_directory,
    find_program,
)

log = logging.getLogger(__name__)

SOURCE_SHA256 = "c4628bb9fb63c8a6f9240035b8b037385cfc404cb72e933cf48878291edac1e8"
BOOST_PACKAGES = tuple(
    f"libboost-{part}-dev" for part in ("system", "thread", "program-options", "test")
)
SYSTEM_PACKAGES = (*BOOST_PACKAGES, "zlib1g-dev", "libbz2-dev", "liblzma-dev")
HOW_TO_GET_BOOST = f"""Install Boost, then run this command again:
  Debian, Ubuntu:  sudo apt-get install {" ".join(SYSTEM_PACKAGES)}
                   (or run this command as root with --install-system-packages)
  Fedora:          sudo dnf install boost-devel zlib-devel bzip2-devel xz-devel
  macOS:           brew install boost
  conda:           conda install -c conda-forge boost zlib bzip2 xz"""


def require_programs() -> list[Path]:
    """``lmplz`` and ``build_binary``, built into the cache directory where they are missing.

    Raises:
        ToolMissingError: they are missing and cannot be built here; says what to do.
    """
    try:
        return [find_program(name) for name in PROGRAMS]
    except ToolMissingError as error:
        log.info("%s", error)
    cache = cache_directory()
    with exclusive(cache / ".lock", "building lmplz"):
        try:
            # another process may have built them while this one waited
            return [find_program(name) for name in PROGRAMS]
        except ToolMissingError as error:
            log.info("building them now in %s", cache)
            try:
                return build_programs(cache)
            except NativizeError as failure:
                raise ToolMissingError(
                    f"{error}\nIt was tried just now and failed: {failure}"
                ) from failure


def build_programs(
    target: Path, *, source: Path | None = None, install_system_packages: bool = False
) -> list[Path]:
    """``lmplz`` and ``build_binary`` in the directory ``target``.

    Args:
        target: where the programs go.
        source: the kenlm source distribution; without it, pip downloads it.
        install_system_packages: let apt-get install what is missing; needs root.
    Raises:
        ToolMissingError: a compiler, cmake, make, pip or Boost is missing; says how to get it.
        NativizeError: the source is not the known one, or it does not compile.
    """
    _require_build_tools()
    with tempfile.TemporaryDirectory(prefix="nativize-kenlm-") as name:
        work = Path(name)
        tree = _unpack(source or _download(work), work)
        if install_system_packages:
            _run(["apt-get", "update"], work)
            _run(["apt-get", "install", "-y", *SYSTEM_PACKAGES], work)
        build = _configure(tree, work)
        log.info("compiling %s (about a minute on two cores)", " and ".join(PROGRAMS))
        _run(["cmake", "--build", str(build), "--parallel", "2", "--target", *PROGRAMS], work)
        return [_install(build / "bin" / program, target) for program in PROGRAMS]


def _require_build_tools() -> None:
    missing = [tool for tool in ("cmake", "make", "c++") if not shutil.which(tool)]
    if missing:
        raise ToolMissingError(
            f"building lmplz needs {', '.join(missing)}, not found on PATH. Debian, Ubuntu:"
            " apt-get install cmake make g++; Fedora: dnf install cmake make gcc-c++;"
            " macOS: xcode-select --install and brew install cmake"
        )


def _download(work: Path) -> Path:
    log.info("downloading the source of kenlm %s", KENLM_VERSION)
    # --no-binary names kenlm alone: with :all: pip compiles cmake itself
    wanted = ["--no-deps", "--no-binary", "kenlm", f"kenlm=={KENLM_VERSION}"]
    _run([sys.executable, "-m", "pip", "download", "-q", "--dest", str(work), *wanted], work)
    return work / f"kenlm-{KENLM_VERSION}.tar.gz"


def _unpack(source: Path, work: Path) -> Path:
    found = sha256_of(source)
    if found != SOURCE_SHA256:
        raise NativizeError(
            f"{source}: SHA-256 is {found}, but kenlm {KENLM_VERSION} has {SOURCE_SHA256};"
            " get the file from the package index again"
        )
    with tarfile.open(source) as archive:
        archive.extractall(work, filter="data")
    return work / f"kenlm-{KENLM_VERSION}"


def _configure(tree: Path, work: Path) -> Path:
    """A configured build directory, with the system's Boost or else a private one."""
    build = work / "build"
    # interpolation is a program of its own that we never call, and it wants Eigen
    options = ["-DCMAKE_BUILD_TYPE=Release", "-DENABLE_INTERPOLATE=OFF"]
    command = ["cmake", "-S", str(tree), "-B", str(build), *options]
    try:
        _run(command, work)
    except NativizeError as error:
        if not (shutil.which("apt-get") and shutil.which("dpkg")):
            raise ToolMissingError(f"{error}\n{HOW_TO_GET_BOOST}") from error
        log.info("Boost is missing: unpacking its packages into a private directory")
        shutil.rmtree(build)
        _run([*command, *_private_boost(work)], work)
    return build


def _private_boost(work: Path) -> list[str]:
    """cmake options for a Boost that is unpacked below ``work``; needs no root."""
    depends = ["apt-cache", "depends", "--recurse", "--no-recommends", "--no-suggests"]
    try:
        listing = _run([*depends, "--no-conflicts", "--no-breaks", *BOOST_PACKAGES], work)
        names = sorted(set(re.findall(r"^libboost[\w.+-]+", listing, flags=re.MULTILINE)))
        _run(["apt-get", "download", *(names or BOOST_PACKAGES)], work)
        for package in sorted(work.glob("*.deb")):
            _run(["dpkg", "-x", str(package), str(work / "private")], work)
    except NativizeError as error:
        raise ToolMissingError(f"{error}\n{HOW_TO_GET_BOOST}") from error
    # static: the private directory is gone when the programs run
    root = f"-DBOOST_ROOT={work / 'private' / 'usr'}"
    return [root, "-DBoost_USE_STATIC_LIBS=ON", "-DBoost_NO_SYSTEM_PATHS=ON"]


def _install(program: Path, target: Path) -> Path:
    final = target / program.name
    write_atomically(final, lambda temporary: shutil.copy2(program, temporary))
    return final


def _run(command: Sequence[str], directory: Path) -> str:
    result = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if result.returncode:
        tail = "\n".join((result.stdout + result.stderr).strip().splitlines()[-15:])
        raise NativizeError(f"'{' '.join(command)}' failed ({result.returncode}):\n{tail}")
    return result.stdout


def main(arguments: Sequence[str] | None = None) -> int:
    """Builds the programs unless they are there; 0 when they are."""
    parser = argparse.ArgumentParser(prog="python -m nativize.quality.lmplz", description=__doc__)
    parser.add_argument("--target", type=Path, help="directory (default: this environment's bin)")
    parser.add_argument("--source", type=Path, help=f"kenlm-{KENLM_VERSION}.tar.gz, when offline")
    parser.add_argument("--install-system-packages", action="store_true", help="apt-get, as root")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    target: Path = options.target or _default_target()
    if all((target / program).exists() for program in PROGRAMS):
        log.info("%s: %s are there", target, " and ".join(PROGRAMS))
        return 0
    try:
        built = build_programs(
            target,
            source=options.source and options.source.resolve(),
            install_system_packages=options.install_system_packages,
        )
    except NativizeError as error:
        log.error("%s", error)
        return 1
    log.info("installed %s", ", ".join(str(path) for path in built))
    return 0


def _default_target() -> Path:
    own = Path(sys.prefix) / "bin"
    return own if os.access(own, os.W_OK) else cache_directory()


if __name__ == "__main__":
    sys.exit(main())
