"""Web pages around the documents: three site layouts with their furniture.

What belongs to the document stands in its title and paragraphs; navigation, cookie notice,
related links and footer come from dirt.toml and are what extraction must leave behind.
"""

from __future__ import annotations

import html
from random import Random
from string import Template

from nativize.sample.material import load_dirt
from nativize.sample.planted import Planted


def draw_page(random: Random, planted: Planted) -> str:
    """Return the HTML page of a planted document in the layout of its site."""
    dirt = load_dirt()
    furniture = dirt["navigation"]
    site = next(site for site in dirt["sites"] if site["host"] in planted.url)
    return Template(site["html"].strip() + "\n").substitute(
        charset=planted.declared,
        site=site["name"],
        title=html.escape(planted.title),
        date=planted.date,
        body="\n".join(f"<p>{html.escape(paragraph)}</p>" for paragraph in planted.paragraphs),
        cookie=random.choice(furniture["cookie"]),
        navigation=_links(random.sample(furniture["japanese"], 6)),
        related=_links(random.sample(furniture["boilerplate"], 3)),
        footer=random.choice(furniture["footer"]).format(site=site["name"]),
    )


def draw_furniture(random: Random) -> tuple[str, ...]:
    """Return lines of a page that has nothing but its furniture."""
    furniture = load_dirt()["navigation"]
    lines = random.sample(furniture["japanese"], 10) + random.sample(furniture["boilerplate"], 5)
    return (*lines, random.choice(furniture["cookie"]))


def _links(labels: list[str]) -> str:
    return "".join(
        f'<li><a href="/{place}/">{label}</a></li>' for place, label in enumerate(labels)
    )
