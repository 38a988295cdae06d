"""What turns losses into better weights: PyTorch alone here, DeepSpeed in its own file.

Both keep what they learn in float32 and give it out, and take it back, tensor by tensor under
the parameters' own names. So a checkpoint says nothing of engine or number of processes, and a
training goes on with others than it began with.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from nativize.errors import TrainingError
from nativize.recipe import TrainStage
from nativize.train.checkpoint import MOMENTS, PARTS, WEIGHT
from nativize.train.loss import LanguageModelLoss
from nativize.train.scale import LossScale
from nativize.train.world import World

Batch = Mapping[str, torch.Tensor]

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Engine(Protocol):
    """A model being trained."""

    scale: LossScale

    def backward(self, batch: Batch, weight: float, *, last: bool) -> torch.Tensor:
        """Add a batch's gradients.

        Args:
            batch: this process's samples of one pass.
            weight: of each label's loss: one over the labels of the whole step.
            last: whether the step ends with this pass.
        Returns:
            The sum of the losses of this process's labels, a scalar.
        """
        ...

    def measure(self, batch: Batch) -> float:
        """The sum of the losses of a batch's labels, in nats; nothing is learned from it.

        The batch is the same in all processes, and all take part.
        """
        ...

    def step(self, share: float) -> float | None:
        """Move the weights, at a share of their learning rates.

        Returns:
            The gradients' norm before clipping; None if an fp16 overflow forbade the step.
        """
        ...

    def state(self, parts: Sequence[str] = PARTS) -> Iterator[tuple[str, str, torch.Tensor]]:
        """Name, part and float32 tensor on the CPU of all that is trained; all ranks iterate."""
        ...

    def restore(self, parts: Mapping[str, Mapping[str, torch.Tensor]], updates: int) -> None:
        """Go on after ``updates`` moves of the weights, from what `state` gave out."""
        ...


def resolve_precision(precision: str, device: torch.device) -> torch.dtype:
    """The dtype of the arithmetic; auto is bf16 on a GPU that has it, else float32."""
    if precision != "auto":
        return DTYPES[precision]
    has_bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if has_bf16 else torch.float32


def parameter_groups(model: Any, stage: TrainStage) -> list[dict[str, Any]]:
    """AdamW's groups: embeddings at a rate of their own, no decay of vectors (norms, biases)."""
    base = model.get_base_model() if hasattr(model, "peft_config") else model
    tables = [base.get_input_embeddings(), base.get_output_embeddings()]
    embedding = {id(p) for table in tables if table is not None for p in table.parameters()}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for _, parameter in trained_parameters(model):
        of_embedding = id(parameter) in embedding and stage.embedding_learning_rate is not None
        rate = stage.embedding_learning_rate if of_embedding else stage.learning_rate
        decay = stage.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((float(rate or 0), decay), []).append(parameter)
    return [
        {"params": parameters, "lr": rate, "full_rate": rate, "weight_decay": decay}
        for (rate, decay), parameters in groups.items()
    ]


def trained_parameters(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """The parameters that learn, by name; tied ones once."""
    return [(name, p) for name, p in model.named_parameters() if p.requires_grad]


def set_dtypes(model: nn.Module, precision: torch.dtype) -> None:
    """What learns in float32, what is frozen in the arithmetic's own dtype."""
    for parameter in model.parameters():
        if parameter.is_floating_point():
            dtype = torch.float32 if parameter.requires_grad else precision
            parameter.data = parameter.data.to(dtype)


class TorchEngine:
    """AdamW, autocast and, among several processes, PyTorch's data parallelism."""

    def __init__(
        self, loss: LanguageModelLoss, stage: TrainStage, world: World, precision: torch.dtype
    ) -> None:
        self.world = world
        self.precision = precision
        self.clip = stage.gradient_clip
        self.scale = LossScale(precision == torch.float16)
        set_dtypes(loss.model, precision)
        loss.to(world.device)
        self.trained = trained_parameters(loss.model)
        self.optimiser = torch.optim.AdamW(
            parameter_groups(loss.model, stage), betas=stage.adam_betas, fused=True
        )
        self.loss: nn.Module = (
            DistributedDataParallel(loss, gradient_as_bucket_view=True) if world.size > 1 else loss
        )

    def backward(self, batch: Batch, weight: float, *, last: bool) -> torch.Tensor:
        with self._kept_apart(last):
            with self._autocast():
                loss = self.loss(**batch)
            # DDP takes the mean over the processes: the sum is what is wanted
            (loss * (weight * self.world.size * self.scale.value)).backward()
        detached: torch.Tensor = loss.detach()
        return detached

    def measure(self, batch: Batch) -> float:
        alone = self.loss.module if isinstance(self.loss, DistributedDataParallel) else self.loss
        alone.eval()
        with torch.no_grad(), self._autocast():
            loss = float(alone(**batch))
        alone.train()
        return loss

    def step(self, share: float) -> float | None:
        parameters = [parameter for _, parameter in self.trained]
        gradients = [p.grad for p in parameters if p.grad is not None]
        if self.scale.value != 1:
            torch._foreach_mul_(gradients, 1 / self.scale.value)
        norm = float(nn.utils.clip_grad_norm_(parameters, self.clip))
        moves = self.scale.update(norm)
        if moves:
            for group in self.optimiser.param_groups:
                group["lr"] = group["full_rate"] * share
            self.optimiser.step()
        self.optimiser.zero_grad()
        return norm if moves else None

    def state(self, parts: Sequence[str] = PARTS) -> Iterator[tuple[str, str, torch.Tensor]]:
        for name, parameter in self.trained:
            moments = self.optimiser.state.get(parameter, {})
            for part in parts:
                if part == WEIGHT:
                    yield name, part, parameter.detach().cpu()
                elif part in moments:
                    yield name, part, moments[part].detach().cpu()
                else:  # nothing was learned yet
                    yield name, part, torch.zeros(parameter.shape)

    def restore(self, parts: Mapping[str, Mapping[str, torch.Tensor]], updates: int) -> None:
        for name, parameter in self.trained:
            given = parts[name]
            if given[WEIGHT].shape != parameter.shape:
                raise TrainingError(
                    f"the checkpoint's {name} is {tuple(given[WEIGHT].shape)}, the model's is"
                    f" {tuple(parameter.shape)}; remove the checkpoint to begin anew"
                )
            with torch.no_grad():
                parameter.copy_(given[WEIGHT])
            if updates:
                self.optimiser.state[parameter] = {
                    "step": torch.tensor(float(updates), device=parameter.device),
                    **{part: given[part].to(parameter.device, copy=True) for part in MOMENTS},
                }

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.precision == torch.float32:
            return nullcontext()
        return torch.autocast(self.world.device.type, dtype=self.precision)

    def _kept_apart(self, last: bool) -> AbstractContextManager[Any]:
        """Gradients stay in this process until the step's last pass."""
        if isinstance(self.loss, DistributedDataParallel) and not last:
            context: AbstractContextManager[Any] = self.loss.no_sync()
            return context
        return nullcontext()
