"""The atlas: a space looked at and wandered in, over HTTP. The page, and the public API that it uses."""
