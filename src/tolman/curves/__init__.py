"""Learning curves that people look at: what went on in a run, drawn once, painted as a web page and as a picture."""
