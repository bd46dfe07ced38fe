"""Tolman: latent learning."""
