"""Many whole runs on many machines: Ray places them, this room asks for them and puts together what comes back."""
