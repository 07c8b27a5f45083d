"""TensorRT engines: what goes into one, building it with NVIDIA's tools, and finding it again."""
