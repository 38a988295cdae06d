"""Where everything that the project writes lives, and which recipe it walks."""

import os
from pathlib import Path

from nativize import home
from nativize.recipe import Recipe, load_recipe

PROJECT = Path(__file__).resolve().parent.parent


def nativize_home() -> Path:
    """``NATIVIZE_HOME``, by default ``.nativize/`` in the project."""
    return home.nativize_home(PROJECT / ".nativize")


def store_root() -> Path:
    """The artifact store's directory."""
    return nativize_home() / "store"


def recipe_path() -> Path:
    """``NATIVIZE_RECIPE``, by default the demo."""
    return Path(os.environ.get("NATIVIZE_RECIPE") or PROJECT / "recipes" / "demo.toml").resolve()


def current_recipe() -> Recipe:
    """The recipe that this process walks, read now."""
    return load_recipe(recipe_path())
