"""People with exact ground truth: every picture is made from a person, a `Mix` of expressions and nothing else."""
