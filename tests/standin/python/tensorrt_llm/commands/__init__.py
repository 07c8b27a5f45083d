"""Console commands of the stand-in."""
