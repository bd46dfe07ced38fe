"""The map of a space: a place in the plane for every document, which it keeps."""
