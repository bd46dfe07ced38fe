"""The latent space on disk: the waist of Tolman. Things left of it make it, things right of it read it or add to it."""
