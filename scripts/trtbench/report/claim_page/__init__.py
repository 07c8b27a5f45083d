"""docs/possible.html: one claim held against a card, in the browser of whoever reads it."""
