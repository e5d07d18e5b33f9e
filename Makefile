SEEDS ?= 10

.PHONY: check test test-all docs pictures chaos

check:  ## style, types and layers
	ruff check
	ruff format --check
	mypy
	lint-imports

test:  ## what runs anywhere in minutes: no network, no GPU, no CIFAR-10
	pytest

test-all:  ## everything, slow tests and those that need a GPU or CIFAR-10 included
	pytest -m ""

docs:  ## what is generated of docs/reference, and the schema of the study file
	python docs/generate.py

pictures:  ## the README's, of the published study; half a minute, needs Chromium
	python docs/pictures/make.py

chaos:  ## kill a study with -9 at random moments, SEEDS rounds of about three minutes
	python tests/chaos/loop.py --seeds $(SEEDS)
