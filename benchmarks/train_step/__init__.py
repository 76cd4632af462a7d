"""Whole train steps of five networks, in eagerdl and in what its users would take instead."""
