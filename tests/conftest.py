"""Fixtures that every test shares."""

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Two cores are shared with other tests and with Ray's workers: one thread each."""
    torch.set_num_threads(1)
