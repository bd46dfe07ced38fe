"""Objectives: each makes batches from a corpus and a loss from a model."""
