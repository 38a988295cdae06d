"""DeepSpeed ZeRO: optimiser state (1), gradients (2) and parameters (3) spread over processes.

Its own checkpoints are pickles for one number of processes; ours are made of what its fragments
hold, gathered parameter by parameter, and fit any engine (Rajbhandari et al. 2020, ZeRO).
"""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import deepspeed
import torch
from deepspeed.utils import safe_get_full_fp32_param, safe_get_full_optimizer_state

from nativize.train.checkpoint import MOMENTS, PARTS, WEIGHT
from nativize.train.engine import Batch, parameter_groups, trained_parameters
from nativize.train.job import Job
from nativize.train.loss import LanguageModelLoss
from nativize.train.scale import LossScale
from nativize.train.sizes import BUCKET
from nativize.train.world import World

INFERENCE_OP = "deepspeed_shm_comm"
"""Compiled at the first start on a CPU (90 s, needs g++) and used by inference alone; its shared
memory once hung two ranks at their start."""


def deepspeed_config(job: Job, world: World, precision: torch.dtype) -> dict[str, Any]:
    """DeepSpeed's configuration of a job; nobody copies one by hand."""
    trainer = job.trainer
    passes, samples = trainer.passes(job.batch_samples, world.size)
    zero: dict[str, Any] = {
        "stage": trainer.zero_stage,
        "contiguous_gradients": True,
        "overlap_comm": world.device.type == "cuda",
        "reduce_bucket_size": BUCKET,
        "allgather_bucket_size": BUCKET,
    }
    if trainer.zero_stage == 3:
        zero |= {"stage3_prefetch_bucket_size": BUCKET // 10, "stage3_max_live_parameters": 10**9}
    if trainer.offload != "none":
        host = {"device": "cpu", "pin_memory": world.device.type == "cuda"}
        zero |= {"offload_optimizer": host}
        zero |= {"offload_param": host} if trainer.offload == "parameters" else {}
    return {
        "train_micro_batch_size_per_gpu": samples,
        "gradient_accumulation_steps": passes,
        "gradient_clipping": job.stage.gradient_clip,
        "zero_optimization": zero,
        "bf16": {"enabled": precision == torch.bfloat16},
        "fp16": {"enabled": precision == torch.float16},
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 2**31,
    }


class DeepSpeedEngine:
    """A model under ZeRO, with the same contract as `nativize.train.engine.TorchEngine`."""

    def __init__(
        self, loss: LanguageModelLoss, job: Job, world: World, precision: torch.dtype
    ) -> None:
        logging.getLogger("DeepSpeed").setLevel(logging.WARNING)
        deepspeed.ops.__compatible_ops__[INFERENCE_OP] = False
        deepspeed.init_distributed(auto_mpi_discovery=False, verbose=False)
        self.world = world
        self.scale = LossScale(precision == torch.float16)
        groups = parameter_groups(loss.model, job.stage)
        for group in groups:
            group["lr"] = 0.0  # it tries a step of zero gradients, which would decay weights
        self.trained = trained_parameters(loss.model)
        self.engine, self.optimiser, *_ = deepspeed.initialize(
            model=loss.to(precision),
            optimizer=_adam(groups, job, world),
            config=deepspeed_config(job, world, precision),
        )
        self._states(0)
        self._set_scale()

    def backward(self, batch: Batch, weight: float, *, last: bool) -> torch.Tensor:
        loss = self.engine(**batch)
        # the mean over processes is taken, the sum is what is wanted
        self.engine.backward(loss * (weight * self.world.size), scale_wrt_gas=False)
        if not last:
            self.engine.step()  # counts the pass; nothing moves before the last
        detached: torch.Tensor = loss.detach()
        return detached

    def measure(self, batch: Batch) -> float:
        self.engine.eval()
        with torch.no_grad():
            loss = float(self.engine(**batch))
        self.engine.train()
        return loss

    def step(self, share: float) -> float | None:
        for group in self.optimiser.param_groups:
            group["lr"] = group["full_rate"] * share
        self.engine.step()
        moved = self.engine.was_step_applied()
        norm = float(self.engine.get_global_grad_norm()) if moved else math.inf
        self.scale.update(norm)
        self._set_scale()
        return norm if moved else None

    def state(self, parts: Sequence[str] = PARTS) -> Iterator[tuple[str, str, torch.Tensor]]:
        for name, parameter in self.trained:
            for part in parts:
                if part == WEIGHT:
                    whole = safe_get_full_fp32_param(parameter)
                else:
                    whole = safe_get_full_optimizer_state(parameter, part)
                yield name, part, whole.detach().float().cpu()

    def restore(self, parts: Mapping[str, Mapping[str, torch.Tensor]], updates: int) -> None:
        self._states(updates)
        self._set_scale()
        for name, parameter in self.trained:
            given = parts[name]
            for part in PARTS:
                for piece, start in self._pieces(parameter, part):
                    values = given[part].flatten()[start : start + piece.numel()]
                    piece[: len(values)].copy_(values)

    def _set_scale(self) -> None:
        """Ours is the scale, which checkpoints hold; DeepSpeed's own is made to follow."""
        if self.scale.needed:
            scaler = self.optimiser.loss_scaler
            scaler.cur_scale, scaler.raise_error_at_min_scale = self.scale.value, False

    def _states(self, updates: int) -> None:
        """Adam's state as after so many steps, and linked to the parameters it belongs to."""
        adam = self.optimiser.optimizer
        flats = getattr(self.optimiser, "fp32_partitioned_groups_flat", None)  # ZeRO-3's
        if flats is None:
            flats = [flat for group in adam.param_groups for flat in group["params"]]
        for flat in flats:
            state = adam.state[flat]
            for part in MOMENTS:
                state.setdefault(part, torch.zeros_like(flat.data))
            # PyTorch counts in tensors, DeepSpeed's compiled Adam in numbers
            counts = isinstance(adam, torch.optim.AdamW)
            state["step"] = torch.tensor(float(updates), device=flat.device) if counts else updates
        if hasattr(self.optimiser, "_lazy_init_hp_params_optimizer_state"):
            self.optimiser._lazy_init_hp_params_optimizer_state()

    def _pieces(self, parameter: Any, part: str) -> Iterator[tuple[torch.Tensor, int]]:
        """What this process holds of a parameter's part, flat, and where in it that begins."""
        key = None if part == WEIGHT else part
        if hasattr(parameter, "ds_id"):  # ZeRO-3
            piece, _ = self.optimiser._get_fp32_opt_state_partition(
                parameter, release_swap_buffers=False, optim_state_key=key
            )
            start = piece.numel() * self.optimiser._get_param_partition_rank(parameter)
            yield piece.data, start
            if key is None:
                yield parameter.ds_tensor.data.flatten(), start
            return
        if key is None:
            yield parameter.data.flatten(), 0
        mapping = parameter._hp_mapping
        if mapping is not None:
            yield mapping.get_hp_fragment(key).data, mapping.lp_fragment_address.start


def _adam(groups: list[dict[str, Any]], job: Job, world: World) -> torch.optim.Optimizer:
    if job.trainer.offload != "none" and world.device.type == "cuda":
        from deepspeed.ops.adam import DeepSpeedCPUAdam

        adam: torch.optim.Optimizer = DeepSpeedCPUAdam(groups, betas=job.stage.adam_betas)
        return adam
    return torch.optim.AdamW(groups, betas=job.stage.adam_betas, fused=True)
