"""Models and prompts: from a name to a checked folder of weights, its shape and its workload."""
