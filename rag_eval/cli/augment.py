"""`rag-eval lessons`: training questions and restatements made of documents."""

from __future__ import annotations

from rag_eval.cli.errors import fail, prepare

LESSONS_USAGE = """rag-eval lessons dataset=folder dataset.documents=DOCS dataset.questions=QA.csv generator=... out=LESSONS
A model writes training questions and restatements of the documents; what is malformed, asked before, a test question or not
answered by its passage is dropped and counted. The same command goes on where it was interrupted, and asks about changed
documents only.
out=FOLDER       where lessons.jsonl, restated.jsonl, manifest.json and the replies go
n_questions=5    of each document, or of each chunk with chunker=sentences
n_restated=3     restatements of each, at most 10
n_documents=N    a sample of the documents
hardware=NAME    a price sheet of conf/hardware; utilisation=1.0 of a machine that is paid by the hour
Any key of python run.py for dataset, chunker, generator and prompt.
Train on them: python run.py mode=finetune dataset=generated dataset.path=LESSONS dataset.of.documents=DOCS dataset.of.questions=QA.csv"""


def augment(arguments: list[str]) -> int:
    """Make training questions of documents."""
    if {"-h", "--help"} & set(arguments):
        print(LESSONS_USAGE)
        return 0
    prepare()
    try:
        from rag_eval.config.secrets import refuse_secrets

        refuse_secrets(arguments)
        from rag_eval.augment.command import make, read_plan
        from rag_eval.augment.console import show_lessons

        made = make(*read_plan(arguments))
    except BaseException as error:
        return fail(error, "", is_debug="debug=true" in arguments)
    show_lessons(made)
    return 3 if made.lessons.counts.n_failed else 0
