"""Documents in chunks: nothing of a text is changed or lost, and the evidence of questions is found among the chunks."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from tokenizers.models import BPE, WordLevel
from tokenizers.pre_tokenizers import ByteLevel, Whitespace

from rag_eval.cli.latency import latency
from rag_eval.data.chunking.chunker import Chunking, DocumentChunker, NoChunker, chunking
from rag_eval.data.chunking.splitters import markdown, sentences, tokens
from rag_eval.data.rows.grading import grading_of
from rag_eval.errors import ConfigError, DataError
from rag_eval.fingerprint import fingerprint
from rag_eval.latency.store import read_latencies
from rag_eval.models.minilm_wheel import minilm_path
from rag_eval.record.cache import DirectoryCache
from rag_eval.text.spans import span_of
from rag_eval.types import Document, Example, Grading, QADataset, Span
from synthworld.questions import KINDS
from tests.claims import every
from tests.commands import Ended
from tests.worlds import world

pytestmark = pytest.mark.flow

Command = Callable[..., Ended]
Make = Callable[..., DocumentChunker]
WAYS = (sentences, markdown, tokens)
FOREIGN = (
    "\u200b# Maße\n\nÄrger über Straßen: 42 °C. 東京は日本の首都です。富士山は高い。 "
    "Zwölf Boxkämpfer 👩‍👩‍👧 jagen Viktor quer über den Sylter Deich!\n\n- ñandú\n- İstanbul\n\n\tEnde\u00a0– fin.  "
)
LETTERS = Document("d1", "aa bb cc dd ee ff gg hh", "Letters", {"kind": "made"})


@pytest.fixture
def cut(tmp_path: Path) -> Make:
    """`cut(way, size, overlap)`: a chunker to which every word or sign is a token; its tokenizer would cut and pad."""
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=9)
    (tmp_path / "words").mkdir()
    tokenizer.save(str(tmp_path / "words" / "tokenizer.json"))

    def make(way: Callable[..., DocumentChunker], size: int, overlap: int = 0, tokenizer: str = str(tmp_path / "words")) -> DocumentChunker:
        return way(tokenizer, size, overlap, DirectoryCache(str(tmp_path / "cache")))

    return make


def dataset(documents: Sequence[Document], *examples: Example) -> QADataset:
    return QADataset("made", fingerprint(documents, (), (), examples), tuple(documents), (), (), examples)


def example(answers: Sequence[str] = (), evidence: Sequence[str] = ("d1",), **meta: Any) -> Example:
    grading, others = grading_of(meta)
    return Example("q1", "What?", tuple(answers), tuple(evidence), meta=others, grading=grading)


def carried(chunker: DocumentChunker, one: Example, *documents: Document) -> Example:
    return chunker.chunk(dataset(documents or (LETTERS,), one)).test[0]


def test_windows_of_tokens_are_exact_and_named_by_their_place(cut: Make) -> None:
    chunks = cut(tokens, 3, 1).chunk(dataset([LETTERS])).documents
    assert [one.text for one in chunks] == ["aa bb cc", "cc dd ee", "ee ff gg", "gg hh"]
    assert (chunks[1].id, chunks[1].title) == ("d1@6-14", "Letters")
    assert chunks[1].meta == {"kind": "made", "source": "d1", "start": 6, "end": 14, "n_tokens": 3}
    assert [one.text for one in cut(tokens, 4, 0).chunk(dataset([LETTERS])).documents] == ["aa bb cc dd", "ee ff gg hh"]
    assert [one.text for one in cut(tokens, 8, 7).chunk(dataset([LETTERS])).documents] == [LETTERS.text]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("size", "overlap"), [(3, 0), (4, 2), (9, 3), (500, 0)])
def test_chunks_are_the_text_itself_and_hold_all_of_it(cut: Make, way: Callable[..., DocumentChunker], size: int, overlap: int) -> None:
    whole = Document("x@1", FOREIGN * 3)
    for tokenizer in ({}, {"tokenizer": minilm_path()}):
        chunks = cut(way, size, overlap, **tokenizer).chunk(dataset([whole])).documents
        held: set[int] = set()
        for chunk in chunks:
            place = span_of(chunk.meta)
            assert place is not None
            assert chunk.text == whole.text[place.start : place.end] == chunk.text.strip()
            assert chunk.id == f"x@1@{place.start}-{place.end}"
            held |= set(range(place.start, place.end))
        assert {at for at, character in enumerate(whole.text) if not character.isspace()} <= held
        assert (len(chunks) == 1) == (size == 500)
        if way is not tokens:
            assert max(chunk.meta["n_tokens"] for chunk in chunks) <= size


def test_sentences_end_chunks_and_overlaps_repeat_whole_ones(cut: Make) -> None:
    text = "One two three. Four five. Six seven eight nine. Ten."
    assert [one.text for one in cut(sentences, 7).chunk(dataset([Document("d1", text)])).documents] == [
        "One two three. Four five.",
        "Six seven eight nine. Ten.",
    ]
    assert [one.text for one in cut(sentences, 8, 3).chunk(dataset([Document("d1", text)])).documents] == [
        "One two three. Four five.",
        "Four five. Six seven eight nine.",
        "Ten.",
    ]


def test_markdown_keeps_sections_together(cut: Make) -> None:
    text = "# A\n\nOne two. Three four.\n\n# B\n\nFive six."
    assert [one.text for one in cut(markdown, 9).chunk(dataset([Document("d1", text)])).documents] == [
        "# A\n\nOne two. Three four.",
        "# B\n\nFive six.",
    ]


def test_a_gold_span_within_a_chunk_is_that_chunk_and_one_that_is_cut_takes_both_pieces(cut: Make) -> None:
    within = carried(cut(tokens, 4), example(spans=[{"source": "d1", "start": 3, "end": 8}]))
    assert within.evidence == ("d1@0-11",)
    assert carried(cut(tokens, 4), example(spans=[{"source": "d1", "start": 8, "end": 12}])).evidence == within.evidence
    assert (within.meta, within.grading) == ({"gold_by": "spans"}, Grading(spans=(Span("d1", 3, 8),)))
    astride = carried(cut(tokens, 4), example(spans=[{"source": "d1", "start": 9, "end": 14}]))
    assert astride.evidence == ("d1@0-11", "d1@12-23")
    assert not astride.held(["d1@0-11"])
    assert not astride.held(["d1@12-23"])
    assert astride.held(["d1@0-11", "d1@12-23"])


def test_overlapping_chunks_that_each_hold_a_span_stand_for_one_another(cut: Make) -> None:
    one = carried(cut(tokens, 4, 2), example(spans=[{"source": "d1", "start": 6, "end": 11}]))
    assert (one.evidence, one.grading.same_as) == (("d1@0-11",), {"d1@6-17": ("d1@0-11",)})
    assert carried(cut(tokens, 4, 2), example(spans=[{"source": "d1", "start": 6, "end": 12}])).grading.same_as == one.grading.same_as
    cut_by_all = carried(cut(tokens, 4, 2), example(spans=[{"source": "d1", "start": 3, "end": 14}]))
    assert cut_by_all.evidence == ("d1@0-11", "d1@6-17")
    dense = carried(cut(tokens, 4, 3), example(spans=[{"source": "d1", "start": 0, "end": 14}]))
    assert dense.evidence == ("d1@0-11", "d1@3-14")
    assert dense.grading.same_as == {id: ("d1@3-14",) for id in ("d1@6-17", "d1@9-20", "d1@12-23")}


def test_two_spans_in_one_chunk_are_one_evidence_for_which_half_does_not_stand(cut: Make) -> None:
    spans = [{"source": "d1", "start": 6, "end": 8}, {"source": "d1", "start": 0, "end": 2}]
    one = carried(cut(tokens, 4, 2), example(evidence=(), spans=spans))
    assert one.evidence == ("d1@0-11",)
    assert not one.grading.same_as  # d1@6-17 holds only one of the two


def test_an_answer_counts_where_it_stands_as_a_word_whatever_its_case(cut: Make) -> None:
    text = Document("d1", "Die Nordstraße ist lang. Die STRASSE ist breit. In der Straße wohnt er. Sonst nichts.")
    one = carried(cut(sentences, 5), example(["straße"]), text)
    assert (one.evidence, one.grading.same_as, one.meta["gold_by"]) == (("d1@25-47",), {"d1@48-70": ("d1@25-47",)}, "answers")
    part = carried(cut(sentences, 5), example(["dstrass"]), text)
    assert (part.evidence, part.meta["gold_by"]) == (("d1@0-24",), "answers")
    after_longer_ones = carried(cut(tokens, 2), example(["AA"]), Document("d1", "ßßßß aa bb cc dd ee"))
    assert after_longer_ones.evidence == ("d1@0-7",)


@pytest.mark.parametrize(
    ("stands", "answer"),
    [
        ("Olav\nBergersen", "Olav  Bergersen"),
        ("Olav  \u00a0 Bergersen", "olav bergersen"),
        ("Don\u00addau\u200b", "Dondau"),
        ("\u202bDondau\u202c", "\u200eDondau"),
        ("cafe\u0301", "CAF\u00c9"),
        ("\u1112\u1161\u11ab", "\ud55c"),
        ("\ufb01sh", "fish"),
    ],
)
def test_an_answer_counts_whatever_its_blanks_composition_and_unseen_marks(cut: Make, stands: str, answer: str) -> None:
    one = carried(cut(sentences, 6), example([answer]), Document("d1", f"It was long ago. The name is {stands} here. Nobody knows why."))
    assert one.meta["gold_by"] == "answers"
    assert "d1@0-16" not in one.holders
    assert one.evidence[0].startswith("d1@17-")


def test_chunks_have_the_grades_of_their_documents_and_own_ones_are_all_chunks_of_a_document(cut: Make) -> None:
    other = Document("d2", "ii jj kk ll mm")
    one = carried(cut(tokens, 4), example(["aa", "gg", "jj"], ("d1", "d2"), grades={"d1": 2, "d2": 1}, itself=["d2"]), LETTERS, other)
    assert one.grading.grades == {id: 2 if id.startswith("d1") else 1 for id in one.evidence}
    assert len(one.evidence) == 2
    assert one.grading.itself == ("d2@0-11", "d2@12-14")
    unknown = carried(cut(tokens, 4), example(["zz"], ("gone",), grades={"gone": 3}, itself=["gone"]))
    assert (unknown.grading.grades, unknown.grading.itself) == ({"gone": 3}, ())


def test_an_answer_that_is_cut_everywhere_takes_its_pieces(cut: Make) -> None:
    one = carried(cut(tokens, 4), example(["dd ee"]))
    assert (one.evidence, one.meta["gold_by"]) == (("d1@0-11", "d1@12-23"), "answers")
    assert carried(cut(tokens, 4), example(["dd e"])).evidence == ("d1@0-11", "d1@12-23")


@pytest.mark.parametrize("given", [{"answers": ["zz"]}, {"answers": ["aa"], "comparator": "yes_no_maybe"}])
def test_without_a_place_any_chunk_of_the_document_will_do(cut: Make, given: dict[str, Any]) -> None:
    one = carried(cut(tokens, 3), example(**given))
    assert (one.evidence, one.meta["gold_by"]) == (("d1@0-8",), "document")
    assert one.grading.same_as == {"d1@9-17": ("d1@0-8",), "d1@18-23": ("d1@0-8",)}


def test_the_rule_that_knows_least_is_named_and_what_is_not_in_the_corpus_stays_lost(cut: Make) -> None:
    other = Document("d2", "ii jj kk ll")
    one = carried(cut(tokens, 4), example(["aa"], evidence=("d1", "d2", "gone")), LETTERS, other)
    assert (one.evidence, one.meta["gold_by"]) == (("d1@0-11", "d2@0-11", "gone"), "document")
    nothing = example(evidence=())
    assert carried(cut(tokens, 4), nothing) == nothing


def test_documents_that_say_the_same_stand_for_it_by_the_chunks_that_do(cut: Make) -> None:
    twin = Document("d2", "xx yy zz ww dd ee vv uu")
    alone = carried(cut(tokens, 4), example(["bb cc"], same_as={"d2": ["d1"]}), LETTERS, Document("d2", "xx yy zz ww bb cc vv uu"))
    assert (alone.evidence, alone.grading.same_as) == (("d1@0-11",), {"d2@12-23": ("d1@0-11",)})
    whole = carried(cut(tokens, 4), example(["dd ee"], same_as={"d2": ["d1"]}), LETTERS, twin)
    assert (whole.evidence, whole.grading.same_as) == (("d1@0-11", "d1@12-23"), {"d2@12-23": ("d1@0-11", "d1@12-23")})
    absent = carried(cut(tokens, 4), example(["dd ee"], evidence=("gone",), same_as={"d2": ["gone"]}), twin)
    assert (absent.evidence, absent.meta, absent.grading) == (("gone",), {}, Grading(same_as={"d2@12-23": ("gone",)}))


def test_a_fact_that_is_cut_is_stated_by_no_chunk_and_takes_both(cut: Make) -> None:
    facts = [{"id": "e1.gene", "start": 0, "end": 8}, {"id": "e1.organ.1990", "start": 9, "end": 17}]
    chunked = cut(tokens, 4).chunk(dataset([Document("d1", LETTERS.text, meta={"facts": facts})], example(["aa"], attribute="organ")))
    assert [chunk.meta["facts"] for chunk in chunked.documents] == [facts[:1], []]
    assert (chunked.test[0].evidence, chunked.test[0].meta["gold_by"]) == (("d1@0-11", "d1@12-23"), "facts")


def test_facts_go_with_the_chunk_that_states_them_in_full_and_are_the_evidence(cut: Make) -> None:
    chunker = cut(sentences, 48, tokenizer=minilm_path())
    whole = world("ci", 0, version=1, popularity=1.0, keep_old_documents=True)
    chunked = chunker.chunk(whole)
    texts = {document.id: document.text for document in whole.documents}
    stated: dict[str, set[str]] = {}
    for chunk in chunked.documents:
        stated[chunk.id] = {fact["id"].split(".")[1] for fact in chunk.meta["facts"]}
        for fact in chunk.meta["facts"]:
            sentence = chunk.text[fact["start"] : fact["end"]]
            assert sentence.endswith(".")
            assert sentence in texts[chunk.meta["source"]]
    n_facts = len({fact["id"] + one.id for one in whole.documents for fact in one.meta["facts"]})
    assert n_facts == len({fact["id"] + one.meta["source"] for one in chunked.documents for fact in one.meta["facts"]})
    asked = [one for one in chunked.test if one.is_answerable]
    assert {one.meta["gold_by"] for one in asked} == {"facts"}
    assert sum(bool(one.grading.same_as) for one in asked) > 20
    assert every(one.meta["attribute"] in stated[id] for one in asked for id in one.holders)
    before = {one.id: one for one in whole.test}
    for one in asked:  # every page that counted has one chunk that does
        assert {id.rpartition("@")[0] for id in one.holders} == before[one.id].holders


@pytest.mark.parametrize("way", WAYS)
def test_the_same_comes_out_again_and_is_cut_only_once(
    cut: Make, way: Callable[..., DocumentChunker], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = world("ci", 0)
    first = cut(way, 20, 5, tokenizer=minilm_path()).chunk(whole)
    again = cut(way, 20, 5, tokenizer=minilm_path())
    monkeypatch.setattr(again._cutter, "cut", None)
    second = again.chunk(whole)
    assert second.fingerprint == first.fingerprint != whole.fingerprint
    assert second.documents == first.documents
    assert second.counterpart == whole.fingerprint
    assert cut(way, 21, 5, tokenizer=minilm_path()).chunk(whole).fingerprint != first.fingerprint
    stale = world("ci", 0, version=1, lag=1)
    other = QADataset("other", "", tuple(replace(one, text=one.text[:30]) for one in whole.documents), (), (), ())
    assert every(chunk.meta["end"] <= 30 for chunk in cut(way, 20, 5, tokenizer=minilm_path()).chunk(other).documents)
    assert cut(way, 20, 5, tokenizer=minilm_path()).chunk(stale).counterpart == stale.counterpart


def test_others_of_the_same_source_have_their_evidence_among_the_chunks_and_those_of_another_are_not_looked_at(cut: Make) -> None:
    other = replace(example(["bb"]), id="other")
    whole = replace(dataset([LETTERS], example(["bb"])), others=(other,), others_are_of_source=True)
    chunked = cut(tokens, 3).chunk(whole)
    assert chunked.others[0].evidence == chunked.test[0].evidence != other.evidence
    changed = cut(tokens, 3).chunk(replace(whole, others=(replace(other, question="Which?"),)))
    assert changed.fingerprint != chunked.fingerprint
    elsewhere = world("ci", 0)
    assert cut(tokens, 3).chunk(elsewhere).others is elsewhere.others


def test_a_record_says_what_was_cut_and_how_gold_was_carried(cut: Make) -> None:
    whole = dataset([LETTERS], example(["bb"]))
    chunked = cut(tokens, 3).chunk(whole)
    found = chunking(chunked, chunked.test)
    assert found == Chunking(1, 3, pytest.approx(8 / 3), 3, {"answers": 1})
    assert NoChunker().chunk(whole) is whole
    assert chunking(whole, whole.test) is None


def test_what_cannot_be_cut_is_refused(cut: Make, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"2 documents hold nothing that can be seen \(first: 'd2'\)"):
        cut(tokens, 3).chunk(dataset([LETTERS, Document("d2", " \n\u00a0"), Document("d3", "\u200b\u2060")]))
    with pytest.raises(DataError, match="not whole"):
        cut(tokens, 3).chunk(dataset([Document("d2", "aa", meta={"source": "d1", "start": 3, "end": 5})]))
    first, second = (Document(id, "aa", meta={"source": "web", "start": 0, "end": 2}) for id in ("d1", "d2"))
    with pytest.raises(DataError, match=r"documents 'd1' and 'd2' both go by 'web', .* Give each a source of its own"):
        cut(tokens, 3).chunk(dataset([first, second]))
    with pytest.raises(DataError, match="documents 'd1' and 'web' both go by 'web'"):
        cut(tokens, 3).chunk(dataset([first, Document("web", "aa")]))
    with pytest.raises(ConfigError, match=r"overlap is 3, but must be less than chunker.size=3"):
        cut(tokens, 3, 3)
    with pytest.raises(DataError, match=r"expected tokenizer.json in this folder"):
        cut(tokens, 3, 0, str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match=r"expected a tokenizer of the library"):
        cut(tokens, 3, 0, str(tmp_path))


def test_a_character_of_several_tokens_is_never_cut_and_a_size_too_small_for_it_is_refused(cut: Make, tmp_path: Path) -> None:
    octets = Tokenizer(BPE(vocab={sign: at for at, sign in enumerate(sorted(ByteLevel.alphabet()))}, merges=[]))
    octets.pre_tokenizer = ByteLevel(add_prefix_space=False, use_regex=False)
    octets.save(str(tmp_path / "tokenizer.json"))
    smile = dataset([Document("d1", "ab \U0001f600 cd")])
    with pytest.raises(ConfigError, match=r"chunker\.size=3 is too small: '\U0001f600' alone has 4 tokens"):
        cut(sentences, 3, 0, str(tmp_path)).chunk(smile)
    assert [one.text for one in cut(sentences, 4, 0, str(tmp_path)).chunk(smile).documents] == ["ab", "\U0001f600", "cd"]
    assert [one.text for one in cut(tokens, 2, 0, str(tmp_path)).chunk(smile).documents] == ["ab", "\U0001f600", "cd"]


SMALL = ("dataset.preset=ci", "generator=scripted", "chunker=sentences", "chunker.size=48")


def test_a_perfect_reader_of_the_right_chunks_answers_everything(command: Command) -> None:
    ended = command("mode=oracle", *SMALL)
    assert ended.code == 0, ended.err
    assert ended.mean("answer/em") == ended.mean("prompt/holds_evidence") == 1.0
    told = ended.record["facts"]["chunking"]
    assert told["n_chunks"] == ended.record["facts"]["audit"]["n_documents"] > told["n_documents"]
    assert told["tokens_max"] <= 48
    assert set(told["gold_by"]) == {"facts"}


def test_every_kind_of_question_is_answered_from_the_right_chunks(command: Command) -> None:
    """Their evidence is enough: whoever is shown it answers as whoever is shown the whole documents."""
    kinds = f"dataset.questions.kinds=[{','.join(KINDS)}]"
    asked = ("mode=oracle", "dataset.preset=ci", "generator=scripted", "dataset.version=1", kinds, "retriever.k=100", "n_probe=0")
    whole, chunked = command(*asked), command(*asked, *SMALL[2:])
    assert chunked.code == whole.code == 0, chunked.err
    assert chunked.mean("answer/em") == whole.mean("answer/em") == 1.0
    assert sum(name.startswith("strata/kind/") for name in chunked.record["estimates"]) == len(KINDS)
    assert chunked.record["facts"]["comparison"]["dataset"] == whole.record["facts"]["comparison"]["dataset"]
    assert set(chunked.record["facts"]["chunking"]["gold_by"]) == {"facts"}


def test_searching_finds_chunks_and_a_run_pairs_with_one_on_whole_documents(command: Command) -> None:
    rag = command("mode=rag", *SMALL, "retriever/embedder=hashed", "limit=60")
    whole = command("mode=closed_book", *SMALL[:2], "limit=60")
    again = command("mode=rag", *SMALL, "retriever/embedder=hashed", "limit=60", "chunker.size=40")
    assert rag.code == whole.code == again.code == 0, rag.err + whole.err + again.err
    assert len({one.record["run_id"] for one in (rag, whole, again)}) == 3
    for field in ("dataset", "questions", "scorer", "prompt"):
        assert rag.record["facts"]["comparison"][field] == whole.record["facts"]["comparison"][field]
    assert whole.record["facts"]["chunking"] is None
    assert 0.3 < rag.mean("retrieval/hit_1") < rag.mean("retrieval/hit_10") <= 1.0
    assert rag.mean("answer/em") == rag.mean("prompt/holds_evidence")


def test_latency_is_of_the_system_with_chunks(command: Command, tmp_path: Path) -> None:
    asked = ("dataset.preset=ci", "generator=echo", "retriever/embedder=hashed", "limit=10", "tracking=none", "latency.n_blocks=4")
    assert latency(["mode=rag", *asked, *SMALL[2:], "latency.n_queries=60"]) == 0
    (run,) = (tmp_path / "outputs" / "default").iterdir()
    answered = [json.loads(line) for line in (run / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    tokens = {one["example_id"]: one["n_prompt_tokens"] for one in answered}
    shared = [one for one in read_latencies(run)[0].timings if one.example_id in tokens]
    assert shared
    assert [one.n_prompt_tokens for one in shared] == [tokens[one.example_id] for one in shared]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("chunker.size=0",), "chunker.size"),
        (("chunker.overlap=48",), "chunker.overlap is 48"),
        (("chunker.tokenizer=.",), "tokenizer.json"),
        (("chunker.tokenizer=nobody/nothing",), "chunker.tokenizer=nobody/nothing"),
    ],
)
def test_a_faulty_chunker_is_one_line_before_a_model_loads(command: Command, given: tuple[str, ...], words: str) -> None:
    ended = command("mode=rag", *SMALL, *given)
    assert ended.code == 2
    assert [words in line for line in ended.err.splitlines() if line.startswith("error:")] == [True]
    assert "Traceback" not in ended.err
    assert not Path("outputs").exists()


@pytest.mark.real
@pytest.mark.parametrize("way", WAYS)
def test_long_documents_are_cut_exactly_and_their_gold_characters_stay_found(cut: Make, way: Callable[..., DocumentChunker]) -> None:
    from rag_eval.data.sources.chunk_eval import chunk_eval

    if "RAG_EVAL_DATA" not in os.environ:
        pytest.skip("RAG_EVAL_DATA is not set: no folder with real data")
    whole = chunk_eval(str(Path(os.environ["RAG_EVAL_DATA"]) / "chunking_evaluation"))
    chunked = cut(way, 200, 40, minilm_path()).chunk(whole)
    texts = {one.id: one.text for one in whole.documents}
    places = {one.id: span for one in chunked.documents if (span := span_of(one.meta))}
    assert every(one.text == texts[places[one.id].source][places[one.id].start : places[one.id].end] for one in chunked.documents)
    assert len(chunked.test) == 472
    assert {one.meta["gold_by"] for one in chunked.test} == {"spans"}
    for one in chunked.test:
        for gold in one.grading.spans:
            held = {at for id in one.evidence for at in range(places[id].start, places[id].end) if places[id].source == gold.source}
            lost = set(range(gold.start, gold.end)) - held
            assert not "".join(texts[gold.source][at] for at in lost).strip()
