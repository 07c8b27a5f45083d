"""One comparison from the records of a run: made, held against another run, handed on as a bundle and read back."""
