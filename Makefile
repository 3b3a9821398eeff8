.PHONY: help check unit test train table

help:  ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

check:  ## format, lint, imports, docstrings and types
	ruff format --check .
	ruff check .
	lint-imports
	pydoclint rag_eval synthworld experiments
	mypy

unit:  ## tests without a model, a command or a process
	pytest -m unit

test:  ## the default suite
	pytest

train:  ## the trainings that the default suite leaves to continuous integration
	pytest -m "train and not slow"

table:  ## the arms on the embedded world, and the table of the README
	python run.py -m experiment=arms
	rag-eval latency mode=rag,finetune experiment_name=arms
	python -m rag_eval.report experiment=arms out=reports/world
	python -m rag_eval.report compare rag finetune experiment=arms out=reports/world
