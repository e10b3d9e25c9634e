"""The parts of benchmarks/quality.py, which has the command line."""
