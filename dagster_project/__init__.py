"""The Dagster code location: definitions, the instance, and the walk from a shell."""

import warnings

from dagster import BetaWarning, PreviewWarning

# We use what is in beta knowingly, with the version pinned; Pipes uses its own previews.
warnings.filterwarnings("ignore", category=BetaWarning)
warnings.filterwarnings("ignore", category=PreviewWarning)
