"""The one family of errors: what happened, where, and what to do about it."""


class NativizeError(Exception):
    """Something a person can mend; the message says what, where and what to do."""


class RecipeError(NativizeError):
    """The recipe is wrong: names file, key, allowed values and the nearest right one."""


class ArtifactError(NativizeError):
    """The artifact store cannot do what was asked: missing, damaged or foreign value."""


class AccountsError(NativizeError):
    """Counts do not add up: entered is not kept + dropped + quarantined."""


class CrawlError(NativizeError):
    """A crawl source cannot be read: missing, unknown format, nothing matched."""


class CorpusError(NativizeError):
    """A corpus stage cannot go on, for example because nothing survived the filters."""


class ToolMissingError(NativizeError):
    """A program that a stage needs is not there; the message says how to get it."""


class VocabularyError(NativizeError):
    """A tokenizer cannot be trained, merged or used as asked."""


class ModelError(NativizeError):
    """A model does not fit: its tokenizer, its shapes or its files."""


class BudgetError(NativizeError):
    """A training cannot be reckoned, or does not fit the hardware that the recipe names."""


class TrainingError(NativizeError):
    """A training cannot start or had to stop; it can be resumed."""


class ExportError(NativizeError):
    """An export does not equal the model it was made from."""
