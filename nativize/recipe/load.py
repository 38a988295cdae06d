"""Reading a recipe, and saying precisely what is wrong with one."""

import difflib
import tomllib
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from nativize.errors import RecipeError
from nativize.recipe.model import Recipe


def load_recipe(path: Path) -> Recipe:
    """The recipe in a TOML file, validated.

    Raises:
        RecipeError: no such file, not TOML, an unknown key or a wrong value; the message names
            the file, the key, what is allowed and the nearest known key.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RecipeError(f"{path}: no such recipe. Known ones lie in recipes/.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not valid TOML: {error}") from error
    if "directory" in data:
        raise RecipeError(f"{path}: 'directory' is set by where the recipe lies; remove it")
    try:
        return Recipe.model_validate({**data, "directory": path.resolve().parent})
    except ValidationError as error:
        complaints = [_complaint(dict(item)) for item in error.errors()]
        raise RecipeError("\n".join(f"{path}: {complaint}" for complaint in complaints)) from error


def _complaint(error: dict[str, Any]) -> str:
    location: tuple[str | int, ...] = error["loc"]
    key = ".".join(str(part) for part in location) or "recipe"
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key. {_nearest(location)}"
    if error["type"] == "missing":
        return f"{key}: missing. Add it to the recipe."
    given = repr(error["input"])
    given = given if len(given) < 60 else given[:57] + "..."
    return f"{key}: {error['msg']} (given: {given})"


def _nearest(location: tuple[str | int, ...]) -> str:
    known = sorted(_section_at(location[:-1]).model_fields)
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    hint = f"Did you mean '{close[0]}'? " if close else ""
    return f"{hint}Allowed here: {', '.join(name for name in known if name != 'directory')}."


def _section_at(location: tuple[str | int, ...]) -> type[BaseModel]:
    section: type[BaseModel] = Recipe
    for part in location:
        if isinstance(part, str):
            section = _section_in(section.model_fields[part].annotation)
    return section


def _section_in(annotation: Any) -> type[BaseModel]:
    """The section type inside ``Section | None`` or ``tuple[Section, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(_section_in(arg) for arg in get_args(annotation) if arg not in (type(None), ...))
