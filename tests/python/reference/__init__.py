"""Independent float64 implementations, written from the equations alone: the tests' oracle."""
