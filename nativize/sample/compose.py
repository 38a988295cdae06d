"""Documents composed from sentence frames: one document, one style, no frame used twice.

A frame repeated inside a document would trip every repetition filter (Gopher's duplicate
n-grams start at .15), so frames are dealt like cards. The notation of the frames is
explained at the head of japanese.toml.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

from nativize.sample.material import Material, Paragraph, Row, SampleError, Topic

POLITE, PLAIN = 0, 1
MINIMUM_CHARACTERS = 300

_STYLE = re.compile(r"<([^<>|]*)\|([^<>|]*)>")
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{([^{}]*)\}")
_NUMBER = re.compile(r"(\d+)\.\.(\d+)(?:/(\d+))?")


@dataclass(frozen=True)
class Document:
    """A composed text; ``style`` is POLITE or PLAIN and means nothing in English."""

    language: str
    topic: str
    style: int
    title: str
    paragraphs: tuple[str, ...]

    @property
    def text(self) -> str:
        """Title and paragraphs, one a line."""
        return "\n".join((self.title, *self.paragraphs))


class Pen:
    """Fills frames: ``bound`` words stay for the document, others are dealt afresh."""

    def __init__(self, material: Material, random: Random, style: int) -> None:
        self._material = material
        self._random = random
        self._style = style
        self._decks: dict[str, list[str]] = {}
        self.bound: dict[str, str] = {}
        for rows in material.once:
            self.bound.update(random.choice(rows))

    def take_up(self, topic: Topic, subject: Row) -> None:
        """Speak of this subject from here on."""
        self.bound.update(subject, field=topic.field)

    def write(self, frame: str) -> str:
        """Return the sentence that ``frame`` becomes."""
        styled = _STYLE.sub(lambda match: match[1 + self._style], frame)
        chosen = _CHOICE.sub(lambda match: self._random.choice(match[1].split("|")), styled)
        return _SLOT.sub(lambda match: self._fill(match[1]), chosen)

    def join(self, sentences: Iterable[str]) -> str:
        """Return one paragraph; only English puts a space between sentences."""
        return ("" if self._material.language == "ja" else " ").join(sentences)

    def _fill(self, slot: str) -> str:
        if number := _NUMBER.fullmatch(slot):
            low, high, step = (int(part or 1) for part in number.groups())
            return str(self._random.randrange(low, high + 1, step))
        name = slot[:1].lower() + slot[1:]
        word = self.bound[name] if name in self.bound else self._deal(name)
        return word if name == slot else word[:1].upper() + word[1:]

    def _deal(self, name: str) -> str:
        if not self._decks.get(name):
            if name not in self._material.words:
                raise SampleError(
                    f"{self._material.language} material: no word class or column {name!r}; "
                    "add it to [words], [once] or the topic's columns"
                )
            words = list(self._material.words[name])
            self._random.shuffle(words)
            self._decks[name] = words
        return self._decks[name].pop()


def compose(material: Material, random: Random, *, style: int | None = None) -> Document:
    """Return a document of 300 to 3,000 characters on one to three subjects.

    Args:
        material: the language to write in.
        random: the only source of variety; equal state gives an equal document.
        style: POLITE or PLAIN; drawn 3 to 2 when None.
    """
    chosen = style if style is not None else random.choice((POLITE, POLITE, POLITE, PLAIN, PLAIN))
    pen = Pen(material, random, chosen)
    parts = _choose_subjects(material, random)
    main_topic = parts[0][0]
    pen.take_up(*parts[0])
    title = pen.write(random.choice(material.titles))
    decks = {topic.slug: list(range(len(topic.paragraphs))) for topic, _ in parts}
    paragraphs: list[str] = []
    for position, (topic, subject) in enumerate(parts):
        pen.take_up(topic, subject)
        lead = random.choice(material.bridges if position else material.openings)
        paragraphs += _speak_of(pen, random, topic, lead, decks[topic.slug])
    pen.take_up(*parts[0])
    paragraphs = _add_general(pen, random, material, paragraphs)
    if random.random() < 0.5:
        paragraphs.append(_notes(pen, random, material, main_topic))
    paragraphs[-1] = pen.join((paragraphs[-1], pen.write(random.choice(material.closings))))
    return Document(material.language, main_topic.slug, chosen, title, tuple(paragraphs))


def _add_general(pen: Pen, random: Random, material: Material, paragraphs: list[str]) -> list[str]:
    """Return the paragraphs with general ones between them, in the order of the material."""
    count = random.randint(2, 5)
    while True:
        picked = sorted(random.sample(range(len(material.general)), count))
        texts = [pen.join(map(pen.write, _thin_out(random, material.general[i]))) for i in picked]
        if sum(map(len, (*paragraphs, *texts))) >= MINIMUM_CHARACTERS:
            break
        count += 1
    places = sorted(random.randint(1, len(paragraphs)) for _ in texts)
    mixed = list(paragraphs)
    for place, text in reversed(list(zip(places, texts, strict=True))):
        mixed.insert(place, text)
    return mixed


def _choose_subjects(material: Material, random: Random) -> list[tuple[Topic, Row]]:
    """Return one or two subjects of a topic, and now and then one of another topic."""
    topic, other = random.sample(material.topics, 2)
    first, second = random.sample(topic.subjects, 2)
    parts = [(topic, first)]
    if random.random() < 0.45:
        parts.append((topic, second))
    if random.random() < 0.2:
        parts.append((other, random.choice(other.subjects)))
    return parts


def _speak_of(pen: Pen, random: Random, topic: Topic, lead: str, deck: list[int]) -> list[str]:
    """Return the lead and some of the topic's unused paragraphs, taken out of ``deck``."""
    count = min(len(deck), random.choice((1, 2, 2)))
    picked = sorted(random.sample(deck, count))
    for index in picked:
        deck.remove(index)
    bodies = [_thin_out(random, topic.paragraphs[index]) for index in picked] or [[]]
    frames = [[lead, *bodies[0]], *bodies[1:]]
    return [pen.join(map(pen.write, body)) for body in frames]


def _thin_out(random: Random, frames: Paragraph) -> list[str]:
    """Keep the first frame, which carries the thought, and most of the others in order."""
    return [frames[0], *(frame for frame in frames[1:] if random.random() < 0.75)]


def _notes(pen: Pen, random: Random, material: Material, topic: Topic) -> str:
    notes: Sequence[str] = random.sample(list(topic.notes), random.randint(2, 3))
    return pen.join(map(pen.write, (random.choice(material.note_leads), *notes)))
