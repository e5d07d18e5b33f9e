"""How a study is shown while it runs."""
