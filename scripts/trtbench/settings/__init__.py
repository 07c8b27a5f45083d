"""What a run is asked to do: the knobs and where their values come from, the lanes, the cells of the workload."""
