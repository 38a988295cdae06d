"""What a mixture is made of: its streams, where their text lies, and their shares.

The new language is one stream as long as its quality buckets weigh alike, else one for each bucket:
"replay", "instruction", "new" or "new/head", "new/middle", "new/tail".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from nativize.errors import CorpusError
from nativize.recipe import Mixture

NEW, REPLAY, INSTRUCTION = "new", "replay", "instruction"


@dataclass(frozen=True)
class Source:
    """Where the text of one stream lies.

    Attributes:
        stream: its name.
        directory: a deduplicated corpus, or instruction data.
        weight: of its own share of what its group has; all the group's without buckets.
        bucket: only documents of this quality bucket; None: all.
    """

    stream: str
    directory: Path
    weight: Fraction = Fraction(1)
    bucket: str | None = None

    @property
    def group(self) -> str:
        """What the mixture gives a share to: new, replay or instruction."""
        return self.stream.split("/")[0]


def sources_of(
    mixture: Mixture, corpus: Path, replay: Path, instruction: Path | None
) -> list[Source]:
    """The sources that the mixture has any use for, in the order that streams are divided off.

    Raises:
        CorpusError: instruction text is wanted, but none is given.
    """
    sources = []
    if mixture.replay_share:
        sources.append(Source(REPLAY, replay))
    if mixture.instruction_share:
        if instruction is None:
            raise CorpusError(
                f"mixture.instruction_share is {mixture.instruction_share:g}, but no instruction"
                " data is given; name it, or set the share to 0"
            )
        sources.append(Source(INSTRUCTION, instruction))
    if not group_shares(mixture)[NEW]:
        return sources
    weights = {name: exact(weight) for name, weight in mixture.quality}
    if len(set(weights.values())) == 1:
        return [*sources, Source(NEW, corpus)]
    buckets = [
        Source(f"{NEW}/{bucket}", corpus, weight, bucket)
        for bucket, weight in weights.items()
        if weight
    ]
    return sources + buckets


def shares(
    mixture: Mixture, sources: list[Source], blocks: Mapping[str, int]
) -> dict[str, Fraction]:
    """The share of each stream that has a block, of all samples; they sum to 1.

    A bucket's share is its own of the corpus' blocks times its weight, so that with a weight of 2
    it is seen twice as often as with 1.

    Raises:
        CorpusError: a source that has a share has not even one full sample.
    """
    found: dict[str, Fraction] = {}
    for group, whole in group_shares(mixture).items():
        parts = [source for source in sources if source.group == group]
        weighted = {source.stream: source.weight * blocks[source.stream] for source in parts}
        total = sum(weighted.values())
        if parts and not total:
            raise CorpusError(
                f"{parts[0].directory}: fewer tokens than one sample of"
                f" {mixture.sequence_length}; give it more text, lower mixture.sequence_length or"
                " set the shares so that this source is not needed"
            )
        found |= {name: whole * weight / total for name, weight in weighted.items() if weight}
    return found


def group_shares(mixture: Mixture) -> dict[str, Fraction]:
    """What the recipe asks for each of the three."""
    replay, instruction = exact(mixture.replay_share), exact(mixture.instruction_share)
    return {REPLAY: replay, INSTRUCTION: instruction, NEW: 1 - replay - instruction}


def exact(number: float) -> Fraction:
    """A number of the recipe by its decimal text: 0.1 is one in ten, not …397 in 2**55."""
    return Fraction(str(number))
