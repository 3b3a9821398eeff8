.PHONY: help check test table

help:  ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

check:  ## format, lint and types
	ruff format --check .
	ruff check .
	mypy

test:  ## the default suite
	pytest

table:  ## the arms on the embedded world, and their table
	python run.py -m mode=prior,closed_book,few_shot,rag,rag_random,finetune,rag_finetune,oracle,oracle_distract,long_context
	python -m rag_eval.report
