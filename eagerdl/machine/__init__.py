"""Machine code: the words of kernel sources, how these are compiled and kept, and the threads that run them; on raw arrays."""
