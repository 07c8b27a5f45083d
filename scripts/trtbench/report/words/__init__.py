"""The tables of words, in English and French."""
