"""Training an adapter: losses, cached row constants, and a trainer that is a generator of steps."""
