"""The stand-in's own parts; the real package has no module of this name."""
