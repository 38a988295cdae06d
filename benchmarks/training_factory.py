"""LLaMA-Factory on a job of ours, by its own `run_exp`; runs in its environment.

The samples are the job's, given as a tokenised data set. ``python -m benchmarks.training_factory
job.json``; see `benchmarks.training_peer`.
"""

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from nativize.tokens import TokenShards
from nativize.train.job import Job, read_job
from nativize.train.samples import order_seed


def main() -> None:
    job = read_job(Path(sys.argv[1]))
    _do_without_sound()
    from llamafactory.train.tuner import run_exp
    from transformers import TrainerCallback

    from benchmarks.training_probe import LLAMA, Probe

    losses: list[float] = []
    # its transformers divides by all tokens, also by those that are first and predicted by nothing
    predicted = job.sequence_length / (job.sequence_length - 1)

    class Watch(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            probe.step()

        def on_log(self, args: Any, state: Any, control: Any, logs: Any, **_: Any) -> None:
            losses.extend(logs[name] * predicted for name in ("loss",) if name in logs)

    write_data_set(job, job.work_dir)
    probe = Probe(job.trainer.device, (LLAMA,))
    run_exp(arguments(job), callbacks=[Watch()])
    probe.answer(losses)


def write_data_set(job: Job, directory: Path) -> None:
    """The job's samples in its order, as LLaMA-Factory keeps what it has tokenised."""
    from datasets import Dataset, DatasetDict

    shards = TokenShards(job.data, seed=order_seed(job.stage))
    blocks = [shards.sample(n).tolist() for n in range(job.stage.steps * job.batch_samples)]
    masks = [[1] * job.sequence_length] * len(blocks)
    rows = Dataset.from_dict({"input_ids": blocks, "attention_mask": masks})
    DatasetDict({"train": rows}).save_to_disk(str(directory))


def arguments(job: Job) -> dict[str, Any]:
    """What ``llamafactory-cli train`` would read from its YAML file."""
    stage, trainer = job.stage, job.trainer
    adapters = {
        "finetuning_type": "lora",
        "lora_rank": stage.lora.rank,
        "lora_alpha": stage.lora.alpha,
        "lora_dropout": stage.lora.dropout,
        "lora_target": ",".join(stage.lora.targets),
        "additional_target": "embed_tokens,lm_head",
    }
    return {
        "stage": "pt",
        "do_train": True,
        "model_name_or_path": str(job.model),
        "tokenized_path": str(job.work_dir),
        "dataset": "unused",
        "template": "default",
        "cutoff_len": job.sequence_length,
        **(adapters if stage.trainable == "lora" else {"finetuning_type": "full"}),
        "disable_shuffling": True,
        "output_dir": str(job.output_dir),
        "per_device_train_batch_size": trainer.micro_batch_samples,
        "gradient_accumulation_steps": job.batch_samples // trainer.micro_batch_samples,
        "max_steps": stage.steps,
        "learning_rate": stage.learning_rate,
        "lr_scheduler_type": "constant",
        "weight_decay": stage.weight_decay,
        "adam_beta1": stage.adam_betas[0],
        "adam_beta2": stage.adam_betas[1],
        "max_grad_norm": stage.gradient_clip,
        "bf16": stage.precision == "bf16",
        "disable_gradient_checkpointing": not trainer.gradient_checkpointing,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": trainer.device == "cpu",
        "seed": stage.seed,
    }


def _do_without_sound() -> None:
    """An empty torchaudio: it is imported for recordings alone, and has no wheel without CUDA."""
    module = ModuleType("torchaudio")
    module.__spec__ = ModuleSpec("torchaudio", None)
    sys.modules["torchaudio"] = module


if __name__ == "__main__":
    main()
