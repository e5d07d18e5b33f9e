"""What is generated of the documentation: the pages of docs/reference, and the JSON Schema."""
