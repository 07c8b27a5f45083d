"""trtbench: how much faster is TensorRT-LLM than PyTorch here, and may the number be believed?"""

__version__ = "0.1.0"
