"""The parts the lab is made of; tests use tests/lab/lab.py, which puts them together."""
