"""docs/possible.html as one file that asks nothing of the network; `tools/possible_page.py` writes it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from markupsafe import Markup

from trtbench.machine import cards
from trtbench.model.shape import TINYLLAMA, ModelShape
from trtbench.referee import claim_rate, fits, roofline
from trtbench.referee.claim_formats import numbers
from trtbench.report.language import ENGLISH, LANGUAGES, Language
from trtbench.report.page import templates
from trtbench.report.words.claim import CLAIM
from trtbench.report.words.claim_page import CLAIM_PAGE

FOLDER = Path(__file__).parent
SCRIPTS = ("arithmetic.js", "words.js", "claim.js", "reading.js", "claim_in_words.js", "form.js")
DEFAULTS = {"gpu": "GeForce RTX 4070", "model": "tinyllama", "precision": "float16", "cards": "1", "batch": "1"}
# The table that this project's README began with, and that cannot be true.
EXAMPLE = {**DEFAULTS, "tokens": "200", "latency-ms": "260.3", "tokens-per-s": "2723.2"}
_NOBODY = ModelShape("", 0, 0, 0, 0, 0, 0, 0)


def render() -> str:
    """The whole document."""
    style = templates.beside("page.css") + templates.beside("possible.css", FOLDER)
    script = Markup("\n").join([Markup('"use strict";'), *(templates.beside(name, FOLDER) for name in SCRIPTS)])
    made = data()
    return templates.document(
        "possible.html.jinja",
        FOLDER,
        style=style,
        script=script,
        say=ENGLISH,
        languages=LANGUAGES.values(),
        cards=[(card["gpu"], card["gpu"]) for card in made["CARDS"]],
        models=[(model["name"], model["label"]) for model in made["MODELS"]],
        precisions=[(precision["name"], precision["name"]) for precision in made["PRECISIONS"]],
        # In a script element nothing but its end has to be kept out.
        data=Markup(json.dumps(made, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")),
    )


def data() -> dict[str, Any]:
    """All that the script computes with and says, by the names that it has for them."""
    return {
        "LIMITS": {
            "tolerance": roofline.NOMINAL_TOLERANCE,
            "agreement": claim_rate.AGREEMENT,
            "roughly": claim_rate.ROUGHLY,
            "prompt_room": claim_rate.PROMPT_ROOM,
            "shortest_prompt": claim_rate.SHORTEST_PROMPT,
            "longest_prompt": claim_rate.LONGEST_PROMPT,
            "least_share": claim_rate.LEAST_SHARE,
            "link": fits.LINK,
            "least": numbers.LEAST,
            "most": numbers.MOST,
            "most_cards": numbers.MOST_CARDS,
        },
        "PRECISIONS": [dataclasses.asdict(precision) for precision in roofline.PRECISIONS.values()],
        "CARDS": _cards(),
        "SHAPE": dataclasses.asdict(_NOBODY),
        "MODELS": _models(),
        "LANGUAGES": {code: _language(say) for code, say in LANGUAGES.items()},
        "DEFAULTS": DEFAULTS,
        "EXAMPLE": EXAMPLE,
    }


def _cards() -> list[dict[str, Any]]:
    """Every card of the table, and every name that several of them have, which stands for the fastest."""
    names = {card.name: card for card in cards.CARDS}
    for alias in dict.fromkeys(alias for card in cards.CARDS for alias in card.aliases):
        found = cards.fastest(alias)
        if found.name not in {card.name for card in names.values()}:
            names[alias] = found
    return [_card(gpu, card) for gpu, card in sorted(names.items(), key=lambda item: item[0].lower())]


def _card(gpu: str, card: cards.Card) -> dict[str, Any]:
    machine = dataclasses.asdict(fits.machine_of(card))
    del machine["cards"], machine["peer"]
    also = [gpu.removeprefix("GeForce "), *(alias for alias in card.aliases if cards.fastest(alias) == card)]
    return {"gpu": gpu, "name": card.name, "source": card.source, "also": also, "machine": machine}


def _models() -> list[dict[str, Any]]:
    """TinyLlama, which the command knows by its name, and those of models.json by their config.json."""
    configs = json.loads((FOLDER / "models.json").read_text(encoding="utf-8"))
    built_in = {"name": "tinyllama", "label": "TinyLlama 1.1B", "shape": _shape(TINYLLAMA), "config": None}
    return [built_in] + [
        {"name": name, "label": name, "shape": _shape(ModelShape.from_config(config)), "config": config}
        for name, config in sorted(configs.items(), key=lambda item: str(item[0]).lower())
    ]


def _shape(shape: ModelShape) -> dict[str, Any]:
    """What differs from a shape of nothing."""
    nobody = dataclasses.asdict(_NOBODY)
    return {name: value for name, value in dataclasses.asdict(shape).items() if value != nobody[name]}


def _language(say: Language) -> dict[str, Any]:
    words = {key: say.typeset(row[say.place]) for key, row in {**CLAIM, **CLAIM_PAGE}.items()}
    signs = {"decimal": say.decimal, "group": say.group, "percent": say.spaces[" %"]}
    return {"code": say.code, **signs, "words": words}
