"""What all sections of a recipe share: frozen, no unknown keys, and the mark of execution."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

EXECUTION = "nativize:execution"
"""Mark on a field that says where, how fast or how parallel, and so is no identity."""


class Section(BaseModel):
    """Base of all sections: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(ge=1)]
Refit = Annotated[
    Literal["on_recipe_change", "always"],
    Field(
        description="When what is fitted to data is fitted again; a policy, not an identity.",
        json_schema_extra={EXECUTION: True},
    ),
]


WITHOUT_SPACES = frozenset(("ja", "zh", "yue", "wuu", "th", "lo", "my", "km"))
BY_SYLLABLES = frozenset(("bo", "dz"))


class Language(Section):
    """The new language."""

    code: str = Field(description="ISO 639-1 code as the language identifier says it: ja, zh, bo.")
    shingle: Literal["characters", "words", "syllables"] = Field(
        "words",
        description="What parts of a text are counted; left out, what the language's script has.",
    )

    @model_validator(mode="before")
    @classmethod
    def _shingle_of_the_script(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "shingle" in data:
            return data
        code = data.get("code")
        spaced = "syllables" if code in BY_SYLLABLES else "words"
        return {**data, "shingle": "characters" if code in WITHOUT_SPACES else spaced}
