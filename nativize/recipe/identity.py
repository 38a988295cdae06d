"""Which part of a recipe is identity: everything but the fields marked as execution."""

from typing import Any

from nativize.recipe.model import Recipe
from nativize.recipe.section import EXECUTION, Section


def identity(value: Any) -> Any:
    """A section as plain JSON values, without the fields that are execution only."""
    if isinstance(value, Section):
        return {
            name: identity(getattr(value, name))
            for name, field in type(value).model_fields.items()
            if not _is_execution(field.json_schema_extra)
        }
    if isinstance(value, tuple):
        return [identity(item) for item in value]
    return value


def recipe_slice(recipe: Recipe, reads: tuple[str, ...]) -> dict[str, Any]:
    """The identity of the named sections (dotted paths), which is what a stage depends on."""
    return {path: identity(recipe.section(path)) for path in reads}


def _is_execution(extra: Any) -> bool:
    return isinstance(extra, dict) and bool(extra.get(EXECUTION))
