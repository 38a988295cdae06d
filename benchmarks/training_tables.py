"""The training benchmark's results as tables."""

from collections.abc import Iterator, Mapping
from typing import Any

README_BEGIN = "<!-- training: written by `python -m benchmarks.training --readme` -->"
README_END = "<!-- /training -->"


def show(found: Mapping[str, Any]) -> None:
    """Every contender on a line."""
    print(f"\n{'':52}{'tokens/s':>10}{'peak MB':>9}{'of peak':>9}{'loss differs':>14}")
    for one in found["results"]:
        name = f"{one['case']}: {one['name']}"
        if one["not_run"]:
            print(f"{name:52}not run: {one['not_run']}")
            continue
        print(
            f"{name:52}{one['tokens_per_second']:10.0f}{one['peak_mb']:9.0f}"
            f"{one['utilisation']:9.2f}{one['loss_difference']:14.1e}"
        )
    print(f"loader alone: {found['loader_tokens_per_second']:,} tokens/s")
    print(f"1.00 of the peak: {found['peak_tflops']} TFLOP/s\n")


def readme_table(recorded: Mapping[str, Mapping[str, Any]]) -> str:
    """All machines, as the README shows them.

    Args:
        recorded: what was found, by "cpu" and "cuda"; empty where nothing was.
    """
    lines = ["| | | tokens/s | peak GB | of peak FLOP/s |", "|---|---|---|---|---|"]
    lines += _rows("CPU", recorded["cpu"])
    if recorded["cuda"]:
        lines += _rows("GPU", recorded["cuda"])
    else:
        lines.append("| H200, TinyLlama-1.1B | all | not run here: no GPU | | |")
    notes = [_note(found) for found in recorded.values() if found]
    return "\n".join([*lines, "", *notes])


def _rows(machine: str, found: Mapping[str, Any]) -> Iterator[str]:
    for one in found["results"]:
        head = f"| {machine}, {one['case']} | {one['name']} |"
        if one["not_run"]:
            yield f"{head} not run: {one['not_run'].replace('|', '/')} | | |"
            continue
        yield (
            f"{head} {one['tokens_per_second']:,.0f} | {one['peak_mb'] / 1e3:.2f}"
            f" | {100 * one['utilisation']:.0f} % |"
        )


def _note(found: Mapping[str, Any]) -> str:
    figures, scale = found["figures"], found["scale"]
    shapes = scale["shapes"]
    table = shapes["vocabulary"] * shapes["hidden"]
    on_cpu = scale["device"] == "cpu"
    clock = "CPU: by processor time of all cores, float32. " if on_cpu else "GPU: bf16. "
    text = "Japanese text" if found["text"] == "shared/data" else "composed text"
    return (
        f"{clock}{scale['batch_samples']} samples of {scale['sequence_length']:,} tokens a step,"
        f" {shapes['vocabulary']:,} rows of {shapes['hidden']:,}: embedding and head are"
        f" {2 * table / 1e6:,.0f} million parameters. Losses differ by"
        f" {figures['loss_difference']:.0e} at most. The loader alone gives"
        f" {found['loader_tokens_per_second'] / 1e6:.0f} million tokens/s,"
        f" {figures['loader_ratio']:,.0f} times what is trained; token shards of {text} take"
        f" {figures['disk_ratio']:.2f} bytes for each byte."
    )
