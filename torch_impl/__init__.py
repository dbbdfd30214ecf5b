"""The layers of `reference` in PyTorch: every derivative comes from autograd."""
