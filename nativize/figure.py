"""Pictures for reports, where matplotlib is installed. No pyplot: no display, no global state."""

import logging
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


def new_figure(path: Path, size: tuple[float, float], *, arranged: bool = True) -> Any:
    """An empty figure; None without matplotlib, which the log then says.

    Args:
        path: where it will lie.
        size: width and height in inches.
        arranged: matplotlib makes room for labels itself, which draws everything twice.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        log.info("%s is not drawn: matplotlib is missing (pip install 'nativize[train]')", path)
        return None
    return Figure(figsize=size, layout="constrained" if arranged else None)


def save_figure(figure: Any, path: Path, *, dpi: float = 100) -> None:
    """The figure as a PNG that does not tell its writer's version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=dpi, metadata={"Software": None})
