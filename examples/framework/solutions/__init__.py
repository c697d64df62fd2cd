"""Solutions of the exercises; each module is that of one chapter."""
