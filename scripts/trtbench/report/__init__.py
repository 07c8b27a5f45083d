"""The report: one file a format, all printed from one Comparison."""
