"""A map drawn: as a page to wander in, as a picture, as lines for papers, as a table for programs."""
