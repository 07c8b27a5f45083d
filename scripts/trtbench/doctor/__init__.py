"""What this machine lacks for the benchmark, found with the standard library alone."""
