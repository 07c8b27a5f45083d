"""What a run leaves behind, typed and sealed: trials, judgements, run folders, and how files are written to last."""
