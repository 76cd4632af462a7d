"""Variances, quantiles, histograms."""

__all__: list[str] = []
