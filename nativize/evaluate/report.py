"""The evaluation report for people: a page of Markdown and one picture.

Model output is text of unknown content: it is shown in code blocks that it cannot close.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nativize.figure import new_figure, save_figure

COLUMNS = {
    "bits_per_byte_new": "bits per byte, new language",
    "bits_per_byte_old": "bits per byte, old language",
    "forgetting": "forgetting",
}


def report_in_markdown(report: Mapping[str, Any]) -> str:
    """The report as Markdown: figures in a table, continuations in fenced blocks."""
    return "\n".join([*_figures(report), *_continuations(report["models"])]) + "\n"


def fenced(text: str) -> str:
    """Text in a code block whose fence is longer than any run of backticks in it."""
    runs = [len(run) for run in re.findall("`+", text)]
    fence = "`" * max(3, *(run + 1 for run in runs), 3)
    return f"{fence}text\n{text}\n{fence}"


def draw_bits_per_byte(models: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Two bars a model, new and old language; lower is better."""
    figure = new_figure(path, (1.6 + 1.6 * len(models), 3.6))
    if figure is None:
        return
    axes = figure.subplots()
    for offset, (key, label) in enumerate((("new", "new language"), ("old", "old language"))):
        heights = [figures[f"bits_per_byte_{key}"] for figures in models.values()]
        places = [index + 0.4 * offset - 0.2 for index in range(len(models))]
        bars = axes.bar(places, heights, width=0.38, label=label)
        axes.bar_label(bars, fmt="%.2f", padding=2, fontsize=8)
    axes.set_xticks(range(len(models)), [name.replace("_", "\n") for name in models])
    axes.set_ylabel("bits per byte (lower is better)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    save_figure(figure, path, dpi=120)


def _figures(report: Mapping[str, Any]) -> Iterator[str]:
    yield "# Evaluation\n"
    for language, text in sorted(report["heldout"].items()):
        size = f"{text['documents']} held-out documents, {text['bytes']} bytes"
        yield f"- {language} language: {size}"
    yield "\nLower is better. Forgetting: the old language against the first model.\n"
    yield "| model | " + " | ".join(COLUMNS.values()) + " |"
    yield "|---|" + "---:|" * len(COLUMNS)
    for name, figures in report["models"].items():
        yield f"| {name} | " + " | ".join(f"{figures[key]:.3f}" for key in COLUMNS) + " |"


def _continuations(models: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    prompts = [entry["prompt"] for entry in next(iter(models.values()))["continuations"]]
    for number, prompt in enumerate(prompts):
        yield f"\n## Prompt {number + 1}\n\n{fenced(prompt)}"
        for name, figures in models.items():
            entry = figures["continuations"][number]
            yield f"\n{name}, greedy:\n\n{fenced(entry['greedy'])}"
            yield f"\n{name}, sampled:\n\n{fenced(entry['sampled'])}"
