"""Other search packages on the curves of `search.simulate`, each in its own environment."""
