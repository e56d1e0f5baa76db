"""Making an adapter: losses, cached constants, and a trainer that is a generator of step records."""
