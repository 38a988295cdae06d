"""The plan of a recipe's trainings: parameters, memory, disk, time and cost, before any begins.

No torch here and no network: a person asks before installing CUDA. What the trainer measures,
utilisation above all, is reckoned with the same functions (`flops_per_token`, `peak_flops`).
"""

from nativize.budget.disk import disk_of
from nativize.budget.flops import flops_per_token
from nativize.budget.hardware import find_hardware, hardware_table, peak_flops
from nativize.budget.memory import Memory, Setup, memory_of
from nativize.budget.model import Model, model_of
from nativize.budget.plan import Budget, budgets, find_budget, planned
from nativize.budget.remedies import refuse_what_cannot_fit, remedies
from nativize.budget.shapes import Shapes, read_shapes, shapes_of
from nativize.budget.table import json_of, lines_of
from nativize.budget.trained import Trained, trained_by

__all__ = [
    "Budget",
    "Memory",
    "Model",
    "Setup",
    "Shapes",
    "Trained",
    "budgets",
    "disk_of",
    "find_budget",
    "find_hardware",
    "flops_per_token",
    "hardware_table",
    "json_of",
    "lines_of",
    "memory_of",
    "model_of",
    "peak_flops",
    "planned",
    "read_shapes",
    "refuse_what_cannot_fit",
    "remedies",
    "shapes_of",
    "trained_by",
]
