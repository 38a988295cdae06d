"""Memory of one GPU while it trains, term by term, at the moment when it is highest.

The trainer keeps what learns in float32 with float32 gradients and both of Adam's moments, and
what is frozen in the arithmetic's precision; arithmetic runs under autocast. Under ZeRO DeepSpeed
keeps bf16 weights and gradients and spreads the float32 ones. Logits never exist: the loss goes
through them by chunks.
"""

from collections.abc import Callable
from dataclasses import dataclass

from nativize.budget.activations import (
    FLOAT,
    Pass,
    kept_by_last_norm,
    kept_by_layer,
    needed_within_layer,
)
from nativize.budget.shapes import Shapes
from nativize.budget.trained import UNTOUCHED, Trained, trained_by
from nativize.recipe import Trainer, TrainStage
from nativize.train.sizes import BUCKET, chunk_rows

CONTEXT_BYTES = int(0.6 * 2**30)
"""Of CUDA's context, cuBLAS workspaces and kernels; no allocator counts them."""

FRAGMENTATION = 0.03
"""Share of what is allocated that PyTorch's allocator cannot give out again."""

NF4 = 0.5 + (1 + 4 / 256) / 64
"""Bytes of a weight in 4 bits with scales quantised twice (QLoRA, Dettmers et al. 2023)."""

Terms = dict[str, float]


@dataclass(frozen=True)
class Setup:
    """What a training's memory depends on.

    Attributes:
        shapes: of the model with its grown vocabulary.
        stage: what is trained.
        trainer: how it is launched.
        sequence_length: tokens in a sample, at most.
        batch_samples: samples in a step.
        new_rows: rows of the vocabulary that are new.
        parts_documents: positions that start again part the documents of a sample.
        device: "cuda" or "cpu".
        flash: flash attention is installed.
        liger: Liger's kernels are.
    """

    shapes: Shapes
    stage: TrainStage
    trainer: Trainer
    sequence_length: int
    batch_samples: int
    new_rows: int = 0
    parts_documents: bool = True
    device: str = "cuda"
    flash: bool = False
    liger: bool = False

    @property
    def trained(self) -> Trained:
        return trained_by(self.shapes, self.stage, self.new_rows)

    @property
    def precision(self) -> str:
        """fp32, bf16 or fp16."""
        if self.stage.precision != "auto":
            return self.stage.precision
        return "fp32" if self.device == "cpu" else "bf16"

    @property
    def number(self) -> int:
        """Bytes of a number in the arithmetic."""
        return FLOAT if self.precision == "fp32" else 2

    @property
    def world(self) -> int:
        """Processes, each with a GPU of its own."""
        return self.trainer.nodes * max(1, self.trainer.processes)

    @property
    def passes(self) -> int:
        """Micro batches of one process in a step."""
        return self.trainer.passes(self.batch_samples, self.world)[0]

    @property
    def samples(self) -> int:
        """In one pass."""
        return self.trainer.passes(self.batch_samples, self.world)[1]

    @property
    def tokens(self) -> int:
        """In one pass."""
        return self.samples * self.sequence_length

    @property
    def how(self) -> Pass:
        """The arithmetic of a pass."""
        table_learns = self.trained.table and not self.trained.has_new_rows
        zero = self.trainer.zero_stage > 0
        stream = FLOAT if table_learns and not zero else self.number
        masks = self.parts_documents and not self.flash
        return Pass(self.number, stream, self.sequence_length, masks, self.liger)


@dataclass(frozen=True)
class Memory:
    """Bytes of one GPU.

    Attributes:
        terms: what they are for; their sum is the peak.
        moment: when they are all needed at once.
        host: bytes of the host that offloading takes, all processes of a node together.
    """

    terms: Terms
    moment: str
    host: float

    @property
    def total(self) -> float:
        return sum(self.terms.values())


def memory_of(setup: Setup) -> Memory:
    """The peak of one GPU, with the context and the allocator's loss that CUDA adds."""
    lasting, gradients, host = _lasting(setup)
    moments = {name: make(setup) for name, make in _moments(setup).items()}
    if _accumulates(setup):
        moments = {name: {**gradients, **terms} for name, terms in moments.items()}
    else:
        moments["end of the backward pass"] = {**gradients, **_one_layer(setup)}
    moment, terms = max(moments.items(), key=lambda item: sum(item[1].values()))
    terms = {**lasting, **terms}
    if setup.device == "cuda":
        lost = FRAGMENTATION * sum(terms.values())
        terms = {**terms, "CUDA context": CONTEXT_BYTES, "fragmentation": lost}
    return Memory({name: size for name, size in terms.items() if size}, moment, host)


def _accumulates(setup: Setup) -> bool:
    """Whether gradients are there before a pass begins: summed over passes, or in buckets."""
    return setup.passes > 1 or setup.world > 1 or setup.trainer.zero_stage > 0


def _lasting(setup: Setup) -> tuple[Terms, Terms, float]:
    """Weights and moments; gradients; and the host's bytes."""
    trained, trainer, number = setup.trained, setup.trainer, setup.number
    frozen = _frozen(setup)
    if not trainer.zero_stage:
        weights = {"frozen weights": frozen, "trained weights, fp32": FLOAT * trained.count}
        moments = {"Adam's moments, fp32": 2 * FLOAT * trained.count}
        return {**weights, **moments}, {"gradients, fp32": FLOAT * trained.count}, 0.0
    spread = setup.world
    of_weights = spread if trainer.zero_stage == 3 else 1
    of_gradients = spread if trainer.zero_stage >= 2 else 1
    weights = {
        "frozen weights": frozen / of_weights,
        f"trained weights, {setup.precision}": number * trained.count / of_weights,
    }
    states = {
        "master weights, fp32": FLOAT * trained.count / spread,
        "Adam's moments, fp32": 2 * FLOAT * trained.count / spread,
    }
    gradients = {f"gradients, {setup.precision}": number * trained.count / of_gradients}
    # one bucket is filled while the other is sent
    buckets: Terms = {"ZeRO's buckets": 2.0 * number * BUCKET}
    if trainer.zero_stage == 3:
        gathered = min(10**9, trained.total)
        buckets = {"ZeRO's bucket": 1.0 * number * BUCKET, "gathered weights": number * gathered}
    on_node = max(1, trainer.processes)
    host = 0.0
    if trainer.offload != "none":
        host += on_node * (sum(states.values()) + FLOAT * trained.count / spread)
        states = {}
    if trainer.offload == "parameters":
        host += on_node * sum(weights.values())
        weights = {}
    return {**weights, **states, **buckets}, gradients, host


def _frozen(setup: Setup) -> float:
    """Bytes of weights that do not learn, peft's copies of those that do counted in."""
    trained, shapes = setup.trained, setup.shapes
    frozen = trained.total - trained.count + trained.copied
    if setup.stage.quantised_base == "none":
        return setup.number * frozen
    matrices = shapes.layers * shapes.layer_matrices
    each = 1.0 if setup.stage.quantised_base == "int8" else NF4
    largest = max(rows * columns for rows, columns in shapes.projections.values())
    return setup.number * (frozen - matrices + largest) + each * matrices


def _moments(setup: Setup) -> dict[str, Callable[[Setup], Terms]]:
    return {"loss": _at_loss, "backward pass of a layer": _in_layer}


def _at_loss(setup: Setup) -> Terms:
    """All layers' activations, and what the chunked loss holds."""
    return {**_kept(setup), **_casts(setup, all_layers=True), **_head(setup)}


def _in_layer(setup: Setup) -> Terms:
    """All layers' activations and the gradients within one."""
    checkpoints = setup.trainer.gradient_checkpointing
    stream = setup.tokens * setup.how.stream * setup.shapes.hidden
    again = {"one layer computed again": setup.tokens * _widest(setup)} if checkpoints else {}
    return {
        **_kept(setup),
        **again,
        **_casts(setup, all_layers=not checkpoints),
        "gradients within a layer": setup.tokens * _within(setup) + stream,
    }


def _one_layer(setup: Setup) -> Terms:
    """The lowest layer, when all gradients are there."""
    return {
        "activations of one layer": setup.tokens * _widest(setup),
        **_casts(setup, all_layers=not setup.trainer.gradient_checkpointing),
        "gradients within a layer": setup.tokens * _within(setup),
    }


def _kept(setup: Setup) -> Terms:
    trained, how = setup.trained, setup.how
    reached = sum(kind != UNTOUCHED for kind in trained.layers)
    if setup.trainer.gradient_checkpointing:
        inputs = setup.tokens * len(trained.layers) * how.stream * setup.shapes.hidden
        return {f"inputs of {len(trained.layers)} layers": inputs}
    each = (kept_by_layer(setup.shapes, kind, setup.stage.lora, how) for kind in trained.layers)
    return {f"activations of {reached} layers": setup.tokens * sum(each)}


def _widest(setup: Setup) -> float:
    kinds = set(setup.trained.layers)
    return max(kept_by_layer(setup.shapes, k, setup.stage.lora, setup.how) for k in kinds)


def _within(setup: Setup) -> float:
    kinds = set(setup.trained.layers) - {UNTOUCHED}
    return max(needed_within_layer(setup.shapes, k, setup.stage.lora, setup.how) for k in kinds)


def _casts(setup: Setup, *, all_layers: bool) -> Terms:
    """Copies that autocast makes of float32 weights and keeps while the pass needs them."""
    if setup.number == FLOAT or setup.trainer.zero_stage:
        return {}
    matrices = setup.trained.matrices / (1 if all_layers else setup.shapes.layers)
    return {f"trained weights cast to {setup.precision}": setup.number * matrices}


def _head(setup: Setup) -> Terms:
    """The last norm, and the chunked loss: its gradients and a chunk of logits, twice."""
    shapes, trained, how, tokens = setup.shapes, setup.trained, setup.how, setup.tokens
    learns = bool(trained.vectors) and len(set(trained.layers)) == 1
    norm = kept_by_last_norm(shapes, norms_learn=learns, how=how) + how.stream * shapes.hidden
    if trained.has_new_rows:
        # peft puts rows into a copy of the table, so the logits are made after all
        logits = tokens * shapes.vocabulary * (2 * FLOAT + how.number) + FLOAT * shapes.table
        return {"last norm": tokens * norm, "logits": logits}
    rows = min(tokens, chunk_rows(setup.device, shapes.vocabulary))
    chunk = rows * shapes.vocabulary * 2 * FLOAT  # the logits and their log softmax
    states = tokens * shapes.hidden * (how.stream + how.number)
    product = how.number if how.number < FLOAT else 0
    cast = 0 if setup.trainer.zero_stage else product  # ZeRO's weights are in bf16 already
    gradient = (FLOAT + product + cast) * shapes.table if trained.output else 0
    return {
        "last norm": tokens * norm,
        "loss: hidden states and their gradients": states,
        "loss: the head's gradient": float(gradient),
        "loss: a chunk of logits": float(chunk),
    }
