"""GPUs: their memory and what they multiply at most, as their makers publish it.

Dense figures: makers' sheets often show twice as much, for matrices of which half the numbers are
zero. bf16 and fp16 with float32 accumulation, fp32 without tensor cores. Memory is what the
driver reports in MiB, which is less than the name says where error correction takes a share.

Sources: NVIDIA's GA102, Ada, Hopper and RTX Blackwell architecture papers and the data sheets of
A100, H100, H200, L4, L40S and RTX A6000; AMD's data sheet of the MI300X.
"""

import re
from dataclasses import dataclass

from nativize.errors import BudgetError

MiB = 1 << 20


@dataclass(frozen=True)
class Hardware:
    """One GPU.

    Attributes:
        name: as a recipe's ``trainer.hardware`` says it.
        memory: bytes; None of a CPU, whose memory is the host's.
        half: multiply-adds in bf16 or fp16, in FLOP/s; None where no one publishes it.
        single: in fp32.
        device: pattern in the device name that torch gives, in lower case.
    """

    name: str
    memory: int | None
    half: float | None
    single: float | None
    device: str


def _gpu(name: str, mib: int, half: float, single: float, device: str) -> Hardware:
    return Hardware(name, mib * MiB, half * 1e12, single * 1e12, device)


HARDWARE = (
    _gpu("RTX 3090", 24_576, 71.0, 35.6, r"rtx 3090(?! ti)"),
    _gpu("RTX 4090", 24_564, 165.2, 82.6, r"rtx 4090(?! d)"),
    _gpu("RTX 5090", 32_607, 209.5, 104.8, r"rtx 5090(?! d)"),
    _gpu("RTX A6000", 49_140, 154.8, 38.7, r"rtx a6000"),
    _gpu("L4", 23_034, 121.0, 30.3, r"\bl4\b"),
    _gpu("L40S", 46_068, 362.0, 91.6, r"\bl40s\b"),
    _gpu("A100 40GB", 40_960, 312.0, 19.5, r"a100(?!.*80gb)"),
    _gpu("A100 80GB", 81_920, 312.0, 19.5, r"a100.*80gb"),
    _gpu("H100 PCIe", 81_559, 756.0, 51.0, r"h100 pcie"),
    _gpu("H100 NVL", 95_830, 835.0, 60.0, r"h100 nvl"),
    _gpu("H100 SXM", 81_559, 989.0, 67.0, r"h100(?! (?:pcie|nvl))"),
    _gpu("H200", 143_771, 989.0, 67.0, r"h200(?! nvl)"),
    _gpu("MI300X", 196_592, 1_307.4, 163.4, r"mi300x"),
    Hardware("cpu", None, None, None, r"^cpu$"),
)


def find_hardware(name: str) -> Hardware:
    """The hardware that a recipe names; capitals, hyphens and spaces count nothing.

    Raises:
        BudgetError: it is not in the table.
    """
    wanted = _bare(name)
    for hardware in HARDWARE:
        if _bare(hardware.name) == wanted:
            return hardware
    close = [h.name for h in HARDWARE if wanted and (wanted in _bare(h.name))]
    meant = f"Did you mean {' or '.join(close)}? " if close else ""
    known = ", ".join(hardware.name for hardware in HARDWARE)
    raise BudgetError(
        f"trainer.hardware: no figures for {name!r}. {meant}Known: {known}"
        " (nativize plan --list-hardware)"
    )


def peak_flops(name: str, precision: str) -> float | None:
    """FLOP/s that a device does at most, dense; None where nobody publishes it.

    Args:
        name: from the table, or what ``torch.cuda.get_device_name`` says ("NVIDIA H200").
        precision: fp32, bf16 or fp16.
    """
    said, wanted = name.lower(), _bare(name)
    for hardware in HARDWARE:
        if _bare(hardware.name) == wanted or re.search(hardware.device, said):
            return hardware.single if precision == "fp32" else hardware.half
    return None


def hardware_table() -> list[str]:
    """All known hardware, a line each."""
    head = f"{'hardware':12}{'memory GiB':>12}{'bf16 TFLOP/s':>14}{'fp32 TFLOP/s':>14}"
    return [head, *map(_line, HARDWARE)]


def _line(hardware: Hardware) -> str:
    if hardware.memory is None or hardware.half is None or hardware.single is None:
        return f"{hardware.name:12}{'the host’s':>12}{'–':>14}{'–':>14}"
    return (
        f"{hardware.name:12}{hardware.memory / 2**30:12.1f}"
        f"{hardware.half / 1e12:14.1f}{hardware.single / 1e12:14.1f}"
    )


def _bare(name: str) -> str:
    return re.sub(r"[\s_\-]", "", name.lower())
