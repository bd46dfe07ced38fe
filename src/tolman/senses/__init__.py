"""Word senses: where a word stands, what stands around it, and which of these places mean the same."""
