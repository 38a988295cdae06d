"""What a training stage trains, by the model's shapes; equal to what the trainer counts.

Layers are told apart by what their backward pass needs, which decides memory and arithmetic.
"""

from dataclasses import dataclass

from nativize.budget.shapes import Shapes
from nativize.errors import BudgetError
from nativize.recipe import Lora, TrainStage

TRAINED, ADAPTED, THROUGH, UNTOUCHED = "trained", "adapted", "through", "untouched"
"""Of a layer: its weights learn; adapters on them do; a gradient passes; none comes so deep."""


@dataclass(frozen=True)
class Trained:
    """Parameters that learn, and where.

    Attributes:
        table: of the embedding table, which is the head too where they are tied.
        head: of the head's own.
        matrices: of the layers' matrices and adapters, which are multiplied with.
        vectors: norms and biases.
        adapters: of ``matrices``, those that the plain model does not have.
        layers: each layer's kind, from the first to the last.
        copied: numbers of frozen originals that peft keeps beside what it trains in full.
        total: the model's parameters and the adapters'.
        tied: the head is the embedding table.
    """

    table: int
    head: int
    matrices: int
    vectors: int
    adapters: int
    layers: tuple[str, ...]
    copied: int
    total: int
    tied: bool

    @property
    def count(self) -> int:
        """All that learn."""
        return self.table + self.head + self.matrices + self.vectors

    @property
    def share(self) -> float:
        return self.count / self.total

    @property
    def output(self) -> int:
        """Numbers that learn and that hidden states become logits with."""
        return self.table if self.tied else self.head

    @property
    def has_new_rows(self) -> bool:
        """Rows are trained beside a frozen table, not the table."""
        return bool(self.adapters) and not self.matrices


def trained_by(shapes: Shapes, stage: TrainStage, new_rows: int = 0) -> Trained:
    """What a stage trains.

    Args:
        shapes: of the model with its grown vocabulary.
        stage: kind of training and its settings.
        new_rows: rows of the vocabulary that are new; for embeddings = "new_rows".
    Raises:
        BudgetError: more layers, or another projection, than the model has.
    """
    if stage.trainable == "embeddings":
        return _embeddings(shapes, stage, new_rows)
    if stage.trainable == "lora":
        return _lora(shapes, stage.lora)
    if stage.trainable == "freeze":
        return _some_layers(shapes, stage)
    return Trained(
        shapes.table,
        shapes.head,
        shapes.layers * shapes.layer_matrices,
        shapes.layers * shapes.layer_vectors + shapes.hidden,
        0,
        (TRAINED,) * shapes.layers,
        0,
        shapes.total,
        shapes.tied,
    )


def _embeddings(shapes: Shapes, stage: TrainStage, new_rows: int) -> Trained:
    layers = (THROUGH,) * shapes.layers
    if stage.embeddings == "new_rows":
        rows = new_rows * shapes.hidden
        head = 0 if shapes.tied else rows
        total = shapes.total + rows + head
        return Trained(rows, head, 0, 0, rows + head, layers, 0, total, shapes.tied)
    head = shapes.head if stage.embeddings == "input_and_head" else 0
    return Trained(shapes.table, head, 0, 0, 0, layers, 0, shapes.total, shapes.tied)


def _lora(shapes: Shapes, lora: Lora) -> Trained:
    adapters = shapes.layers * sum(
        lora.rank * sum(_projection(shapes, name)) for name in lora.targets
    )
    table, head = (shapes.table, shapes.head) if lora.embeddings else (0, 0)
    return Trained(
        table,
        head,
        adapters,
        0,
        adapters,
        (ADAPTED,) * shapes.layers,
        table + head,
        shapes.total + adapters,
        shapes.tied,
    )


def _projection(shapes: Shapes, name: str) -> tuple[int, int]:
    if name not in shapes.projections:
        known = ", ".join(shapes.projections)
        raise BudgetError(f"lora.targets: {name!r} is no projection of this model; it has {known}")
    return shapes.projections[name]


def _some_layers(shapes: Shapes, stage: TrainStage) -> Trained:
    asked = max(stage.train_first_layers, stage.train_last_layers)
    if asked > shapes.layers:
        raise BudgetError(
            f"stage {stage.name}: {asked} layers to train, but the model has {shapes.layers}"
        )
    chosen = {
        *range(stage.train_first_layers),
        *range(shapes.layers - stage.train_last_layers, shapes.layers),
    }
    lowest = min(chosen)
    kinds = tuple(
        TRAINED if number in chosen else THROUGH if number > lowest else UNTOUCHED
        for number in range(shapes.layers)
    )
    matrices, vectors = (len(chosen) * n for n in (shapes.layer_matrices, shapes.layer_vectors))
    return Trained(0, 0, matrices, vectors, 0, kinds, 0, shapes.total, shapes.tied)
