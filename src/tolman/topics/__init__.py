"""Topics of a space: found in the full latent space, in a hierarchy, with names, and with ids that last."""
