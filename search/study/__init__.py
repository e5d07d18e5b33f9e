"""What is decided and kept: the study file, the rungs, the ledger. Knows no Ray."""
