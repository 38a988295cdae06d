"""Hugging Face's Trainer with peft on a job of ours, as Chinese-LLaMA-Alpaca's scripts set it up.

Blocks of one length with an attention mask of ones, ``default_data_collator``, LoRA with
``modules_to_save``, gradients accumulated over micro batches. As in `run_clm_pt_with_peft.py`, but
without DeepSpeed, dropout and warm-up, and with the job's samples in the job's order and AdamW's
betas as in ours: the losses have to be equal. ``python -m benchmarks.training_trainer job.json``.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, TaskType, get_peft_model
from torch.utils.data import Dataset
from transformers import (
    LlamaForCausalLM,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    default_data_collator,
)

from benchmarks.training_probe import Probe
from nativize.tokens import TokenShards
from nativize.train.job import Job, read_job
from nativize.train.samples import order_seed

EMBEDDINGS = ("embed_tokens", "lm_head")


class Blocks(Dataset[dict[str, list[int]]]):
    """The job's samples, in its order, as the script's ``group_texts`` leaves them."""

    def __init__(self, job: Job) -> None:
        self._shards = TokenShards(job.data, seed=order_seed(job.stage))
        self._count = job.stage.steps * job.batch_samples

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> dict[str, list[int]]:
        ids = self._shards.sample(number).tolist()
        return {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": ids}


class Watch(TrainerCallback):
    """Tells the probe of every step."""

    def __init__(self, probe: Probe) -> None:
        self.probe = probe

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.probe.step()


def main() -> None:
    job = read_job(Path(sys.argv[1]))
    probe = Probe(job.trainer.device)
    trainer = Trainer(
        model=trained_model(job),
        args=arguments(job),
        train_dataset=Blocks(job),
        data_collator=default_data_collator,
        callbacks=[Watch(probe)],
    )
    trainer.train()
    probe.answer([line["loss"] for line in trainer.state.log_history if "loss" in line])


def trained_model(job: Job) -> Any:
    """The job's model, with adapters and whole embeddings where it trains adapters.

    What is frozen lies in the precision of the arithmetic, what learns in float32, as in ours.
    """
    lora = job.stage.lora if job.stage.trainable == "lora" else None
    half = lora is not None and job.stage.precision == "bf16"
    torch.manual_seed(job.stage.seed)
    model = LlamaForCausalLM.from_pretrained(
        job.model, dtype=torch.bfloat16 if half else torch.float32
    )
    if lora is None:
        return model
    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        target_modules=sorted(lora.targets),
        inference_mode=False,
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        modules_to_save=list(EMBEDDINGS),
    )
    model = get_peft_model(model, config)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return model


def arguments(job: Job) -> TrainingArguments:
    stage, trainer = job.stage, job.trainer
    return TrainingArguments(
        output_dir=str(job.output_dir),
        per_device_train_batch_size=trainer.micro_batch_samples,
        gradient_accumulation_steps=job.batch_samples // trainer.micro_batch_samples,
        max_steps=stage.steps,
        learning_rate=stage.learning_rate,
        lr_scheduler_type="constant",
        weight_decay=stage.weight_decay,
        adam_beta1=stage.adam_betas[0],
        adam_beta2=stage.adam_betas[1],
        max_grad_norm=stage.gradient_clip,
        bf16=stage.precision == "bf16",
        gradient_checkpointing=trainer.gradient_checkpointing,
        train_sampling_strategy="sequential",
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=trainer.device == "cpu",
        seed=stage.seed,
    )


if __name__ == "__main__":
    main()
