"""nativize: make an open language model native in a language it barely speaks.

This package is the domain: every stage of the road as plain functions on files and
directories. Keep Dagster out of it; the asset graph that walks the road lives beside it.
"""

__version__ = "0.1.0"
