"""The files that a fleet leaves: fleet.json, fleet.csv, fleet.md and fleet.html."""

from __future__ import annotations

from pathlib import Path

from trtbench.errors import UserError, why
from trtbench.fleet import csv_table, document, markdown
from trtbench.fleet.result import Fleet
from trtbench.records.files import encode, write_whole


def write(folder: Path, fleet: Fleet, lang: str) -> list[Path]:
    """Write them and return their paths; each is there whole or as it was. Raises UserError where the folder cannot be written."""
    # All are made before the first is written, so that they are of one fleet.
    made = {
        "fleet.json": encode(fleet),
        "fleet.csv": csv_table.render(fleet).encode(),
        "fleet.md": markdown.render(fleet, lang).encode(),
        "fleet.html": document.render(fleet, lang).encode(),
    }
    try:
        for name, data in made.items():
            write_whole(folder / name, data)
    except OSError as error:
        raise UserError(f"the report cannot be written to {folder}: {why(error, error.filename or folder)}.") from None
    return [folder / name for name in made]
