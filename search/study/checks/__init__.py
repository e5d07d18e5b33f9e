"""What a study says of itself in sentences, each held by its number."""
