"""Random numbers from counters: generators, seeds, distributions."""

__all__: list[str] = []
