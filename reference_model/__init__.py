"""MOVA in PyTorch: first frame, prompt and seed to a clip with sound."""
