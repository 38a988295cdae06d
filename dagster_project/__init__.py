"""The Dagster code location: definitions, the instance, and the walk from a shell."""
