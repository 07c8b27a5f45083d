"""The tables of words: one row a sentence, in English and in French; `trtbench.report.language` says them."""
