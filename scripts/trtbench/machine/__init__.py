"""The machine underneath: host, GPUs and their telemetry, processes of our own, and what the machine must have."""
