"""What the files are like in which people and tools publish speeds: one module a tool, and one for tables of one's own."""
