"""What is trained on, what is trained, and where: mixture, training stages, trainer."""

import math
from typing import Literal

from pydantic import Field, model_validator

from nativize.recipe.section import Positive, Section, Share


class BucketWeights(Section):
    """How often text of each quality bucket is seen, as a multiple of its own share."""

    head: float = Field(1.0, ge=0)
    middle: float = Field(1.0, ge=0)
    tail: float = Field(1.0, ge=0)

    @model_validator(mode="after")
    def _leave_something(self) -> "BucketWeights":
        if not (self.head or self.middle or self.tail):
            raise ValueError("head, middle and tail all weigh 0: nothing is left to train on")
        return self


class Mixture(Section):
    """What the token shards hold."""

    sequence_length: Positive = Field(2_048, description="Tokens per training sample.")
    replay_share: Share = Field(0.1, description="Share of tokens of the old language (Swallow).")
    instruction_share: Share = Field(
        0.0, description="Share of tokens of the dialogues of [chat], as plain text."
    )
    packing: Literal["documents", "concatenated"] = Field(
        "documents",
        description="documents: attention and loss stop at a document's ends; concatenated: not.",
    )
    bos: bool = Field(True, description="BOS before each document, where the tokenizer has one.")
    eos: bool = Field(True, description="EOS after each document, where the tokenizer has one.")
    quality: BucketWeights = Field(default_factory=BucketWeights)
    maximum_epochs: float = Field(
        4.0,
        gt=0,
        description="Of any corpus in one training (Muennighoff et al. 2023); more is refused.",
    )
    seed: int = 1

    @model_validator(mode="after")
    def _leaves_room_for_the_new_language(self) -> "Mixture":
        if self.replay_share + self.instruction_share > 1:
            raise ValueError("replay_share and instruction_share are more than 1 together")
        return self

    @model_validator(mode="after")
    def _parts_documents(self) -> "Mixture":
        if not (self.bos or self.eos):
            raise ValueError("bos and eos are both false: documents would run together")
        return self


class Lora(Section):
    """Low-rank adapters (Hu et al. 2021)."""

    rank: Positive = 256
    alpha: Positive = 512
    rank_stabilised: bool = Field(
        False, description="Scale by alpha / sqrt(rank) (rsLoRA, Kalajdzievski 2023)."
    )
    dropout: Share = 0.0
    targets: tuple[str, ...] = (
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    )  # fmt: skip
    embeddings: bool = Field(True, description="Train embeddings and head with the adapters.")


class TrainStage(Section):
    """One training; the recipe lists them in order, each becomes an asset."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    trainable: Literal["embeddings", "lora", "freeze", "full"]
    steps: Positive
    batch_tokens: Positive = 65_536
    learning_rate: float = Field(1e-4, gt=0)
    embedding_learning_rate: float | None = Field(
        None, gt=0, description="Of embeddings and head, where it is another one."
    )
    schedule: Literal["cosine", "constant", "wsd"] = Field(
        "cosine", description="wsd: warm-up, stable, decay (Hu et al. 2024). All warm up again."
    )
    warmup_share: Share = Field(0.03, description="Of the steps; from 0 to the learning rate.")
    decay_share: Share = Field(0.2, description="Of the steps, at the end; wsd only.")
    final_rate_share: Share = Field(0.1, description="Of the learning rate, at the last step.")
    weight_decay: float = Field(0.0, ge=0)
    adam_betas: tuple[Share, Share] = Field((0.9, 0.95), description="LLaMA's.")
    gradient_clip: float = Field(1.0, gt=0)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="Of the arithmetic; auto: bf16 on a GPU that has it, else fp32."
    )
    embeddings: Literal["input_and_head", "input", "new_rows"] = Field(
        "input_and_head", description='What trainable = "embeddings" trains.'
    )
    lora: Lora = Field(default_factory=Lora)
    quantised_base: Literal["none", "int8", "nf4"] = Field(
        "none", description="The frozen weights under adapters (QLoRA); needs bitsandbytes."
    )
    train_first_layers: int = Field(0, ge=0, description="Layers that freeze leaves trainable.")
    train_last_layers: int = Field(2, ge=0, description="Layers that freeze leaves trainable.")
    seed: int = 1

    @model_validator(mode="after")
    def _means_something(self) -> "TrainStage":
        if self.trainable == "freeze" and not (self.train_first_layers or self.train_last_layers):
            raise ValueError(
                "freeze with train_first_layers = train_last_layers = 0 trains nothing"
            )
        if self.quantised_base != "none" and self.trainable != "lora":
            raise ValueError(f"quantised_base needs trainable = 'lora', not '{self.trainable}'")
        return self


class Trainer(Section):
    """How training is launched. Execution only."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    launcher: Literal["local", "hostfile", "slurm", "ray"] = Field(
        "local", description="Who starts a process on each node."
    )
    nodes: Positive = 1
    hostfile: str | None = Field(
        None,
        description='Lines "host slots=N", as DeepSpeed and MPI read; hostfile only. Relative to'
        " where the walk is started.",
    )
    processes: int = Field(0, ge=0, description="Per node; 0: one for each GPU, one without.")
    zero_stage: Literal[0, 1, 2, 3] = Field(
        0, description="DeepSpeed ZeRO: what is spread over GPUs; 0: PyTorch alone."
    )
    offload: Literal["none", "optimizer", "parameters"] = Field(
        "none", description="To the host's memory; parameters (ZeRO-3) take the optimizer along."
    )
    micro_batch_samples: Positive = Field(8, description="Samples per pass and device at once.")
    gradient_checkpointing: bool = Field(
        False, description="Activations are computed again: a third slower, far less memory."
    )
    compile: bool = Field(False, description="torch.compile.")
    kernels: Literal["auto", "plain"] = Field(
        "auto", description="auto: liger-kernel and flash attention where they are installed."
    )
    save_every_steps: Positive = 100
    keep_checkpoints: Positive = 2
    log_every_steps: Positive = 10
    evaluate_every_steps: int = Field(
        500, ge=0, description="Bits per byte of held-out text while it trains; 0: never."
    )
    hang_seconds: Positive = Field(
        1_800, description="A step that takes longer is a hung collective: stopped, resumable."
    )
    hardware: str | None = Field(
        None, description="What plan reckons with, as nativize plan --list-hardware says it."
    )
    price_per_gpu_hour: float | None = Field(None, ge=0, description="In any currency.")

    def passes(self, batch_samples: int, processes: int) -> tuple[int, int]:
        """How many passes each process makes for a step, and the samples of each, at most.

        Args:
            batch_samples: of the step.
            processes: that share them.
        """
        share = math.ceil(batch_samples / processes)
        passes = math.ceil(share / self.micro_batch_samples)
        return passes, math.ceil(share / passes)

    @model_validator(mode="after")
    def _fits_together(self) -> "Trainer":
        if self.offload != "none" and self.zero_stage == 0:
            raise ValueError(f"offload = '{self.offload}' needs zero_stage 1, 2 or 3")
        if self.offload == "parameters" and self.zero_stage != 3:
            raise ValueError("offload = 'parameters' needs zero_stage = 3")
        if (self.launcher == "hostfile") != (self.hostfile is not None):
            raise ValueError("launcher = 'hostfile' and a hostfile go together")
        return self
