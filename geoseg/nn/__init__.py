"""Tensors to tensors: networks, their receptive field, inference, losses, fitting. Only this package knows torch."""
