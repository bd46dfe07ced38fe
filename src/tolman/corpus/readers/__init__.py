"""One reader a file family: each turns a source into rows by column."""
