"""A chat template acts on prompts only in ways that are known: every message is written, the day is fixed, thinking is a choice."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import trl

from rag_eval.errors import ConfigError, DataError
from rag_eval.generate.chat_template import ChatTemplate, chat_template
from rag_eval.generate.hf_prompting import Prompting
from rag_eval.types import Prompt
from tests.generate.small_tokenizers import KINDS, with_special_tokens

DAY = date(2024, 7, 26)
ASKED = (("system", "Be brief."), ("user", "Who?"))
TALK = (*ASKED, ("assistant", "Ada"), ("user", "Where?"))
SAID = "{{ m.role }}: {{ m.content }}\n"
EACH = "{% for m in messages %}" + SAID + "{% endfor %}"
PARTS = "{% for m in messages %}{{ m.role }}: {% for p in m.content if p.type == 'text' %}{{ p.text }}{% endfor %}{{ '\n' }}{% endfor %}"
NO_SYSTEM = "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + SAID + "{% endfor %}"
ALTERNATING = "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('in turn') }}{% endif %}" + SAID + "{% endfor %}"  # fmt: skip  # noqa: E501
ONLY_LAST = "{{ messages[0].content }}\n{{ messages[-1].role }}: {{ messages[-1].content }}"
NO_ANSWERS = "{% for m in messages %}{% if m.role == 'assistant' %}{{ raise_exception('no') }}{% endif %}" + SAID + "{% endfor %}"
ONLY_QUESTION = "{{ messages[-1].role }}: {{ messages[-1].content }}"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return with_special_tokens(KINDS["byte_level"]())


def template(tokenizer: Any, source: Any, thinking: bool | None = None, day: date = DAY) -> ChatTemplate:
    tokenizer.chat_template = source
    found = chat_template(tokenizer, "the model", thinking, day)
    assert found is not None
    return found


def written(tokenizer: Any, source: str, messages: tuple[tuple[str, str], ...] = ASKED, **given: Any) -> str:
    return template(tokenizer, source, **given).write(messages, {})[0]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (EACH, "system: Be brief.\nuser: Who?\nassistant: Ada\nuser: Where?\n"),
        (PARTS, "system: Be brief.\nuser: Who?\nassistant: Ada\nuser: Where?\n"),
        (NO_SYSTEM, "user: Be brief.\n\nWho?\nassistant: Ada\nuser: Where?\n"),
        (ALTERNATING, "user: Be brief.\n\nWho?\nassistant: Ada\nuser: Where?\n"),
        (ONLY_LAST, "Be brief.\nuser: Who?\nAnswer: Ada\n\nWhere?"),
        (NO_ANSWERS, "system: Be brief.\nuser: Who?\nAnswer: Ada\n\nWhere?\n"),
        (ONLY_QUESTION, "user: Be brief.\n\nWho?\nAnswer: Ada\n\nWhere?"),
    ],
    ids=["roles", "parts", "no system", "alternating", "last turn", "no answers", "only the question"],
)
def test_every_message_is_written_in_the_way_that_changes_least(tokenizer: Any, source: str, expected: str) -> None:
    assert written(tokenizer, source, TALK) == expected


def test_turns_that_become_part_of_the_question_are_said_once(tokenizer: Any, caplog: pytest.LogCaptureFixture) -> None:
    folding = template(tokenizer, NO_ANSWERS)
    folding.write(ASKED, {})
    assert not caplog.records
    folding.write(TALK, {})
    folding.write(TALK, {})
    assert [one.getMessage() for one in caplog.records] == [
        "the chat template of the model takes no earlier turns: they are given as text in the question"
    ]


def test_a_template_that_writes_no_message_is_refused_whatever_it_is_given(tokenizer: Any) -> None:
    for source in ("nothing", "{{ messages | length }}", "{{ messages[0].role }}{{ raise_exception('never') }}"):
        with pytest.raises(DataError, match=r"the chat template of the model does not write out a system prompt and a question"):
            written(tokenizer, source)
    with pytest.raises(DataError, match="written as code"):
        written(tokenizer, EACH.replace("{{ m.content }}", "{{ m.content if m.content is not string }}"))


def test_a_template_that_loses_or_rewrites_what_a_message_says_is_refused(tokenizer: Any) -> None:
    cut = EACH.replace("m.content", "m.content[:20]")
    assert written(tokenizer, cut, (("system", "Be brief."), ("user", "Who?")))
    with pytest.raises(DataError, match="leaves out or rewrites a message of the user"):
        written(tokenizer, cut, (("system", "Be brief."), ("user", "Who is it that lives in Adatown?")))
    assert "  Who?" not in written(tokenizer, EACH.replace("m.content", "m.content | trim"), (("system", "S"), ("user", "  Who? ")))


def test_a_template_that_cannot_be_read_is_refused_in_one_line(tokenizer: Any) -> None:
    with pytest.raises(DataError, match="cannot be read") as refusal:
        template(tokenizer, "{% for m in messages %}")
    assert "\n" not in str(refusal.value)


def test_of_named_templates_the_default_is_taken_and_without_one_the_names_are_told(tokenizer: Any) -> None:
    assert written(tokenizer, {"default": EACH, "rag": "no"}).startswith("system: Be brief.")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="chat templates named rag, tool_use and none named default"):
        template(tokenizer, {"tool_use": EACH, "rag": EACH})


def test_a_refused_template_acts_on_no_plain_prompt(tokenizer: Any) -> None:
    tokenizer.chat_template = {"rag": EACH}
    prompting = Prompting(tokenizer, None, "the model", None, DAY)
    assert prompting.formatted(Prompt(ASKED, "Who?", "", style="plain")).text == "Who?"
    assert prompting.identity()["chat_template"] == {"is_refused": True}
    with pytest.raises(DataError, match="named rag"):
        prompting.formatted(Prompt(ASKED, "Who?", ""))


@pytest.mark.parametrize(
    "source",
    [
        "Today: {{ strftime_now('%d %b %Y') }}\n",
        "{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}Today: {{ date_string }}\n",
        "{% macro today(form) %}{{ strftime_now('%d %b %Y') }}{% endmacro %}Today: {{ today() }}\n",
    ],
)
def test_the_day_that_a_template_writes_is_the_one_that_was_set(tokenizer: Any, source: str) -> None:
    assert written(tokenizer, source + EACH).startswith("Today: 26 Jul 2024\nsystem:")
    assert written(tokenizer, source + EACH, day=date(2030, 1, 2)).startswith("Today: 02 Jan 2030\nsystem:")
    assert template(tokenizer, source + EACH).identity()["day"] == "2024-07-26"
    assert template(tokenizer, EACH).identity()["day"] is None


def test_a_form_of_the_day_that_is_not_known_before_is_refused(tokenizer: Any) -> None:
    with pytest.raises(DataError, match="asks for the current date in a form that it makes itself"):
        written(tokenizer, "{{ strftime_now('%' ~ messages[0].role) }}" + EACH)


SWITCH = "{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}"


def test_thinking_is_switched_by_the_variables_that_a_template_reads(tokenizer: Any) -> None:
    assert "<think>" not in written(tokenizer, EACH + SWITCH)
    assert "<think>" not in written(tokenizer, EACH + SWITCH, thinking=True)
    assert written(tokenizer, EACH + SWITCH, thinking=False).endswith("<think></think>")
    given = {
        "{{ thinking }}": ({"thinking": True}, {"thinking": False}),
        "{{ enable_thinking }}{{ thinking }}": ({"enable_thinking": True, "thinking": True}, {"enable_thinking": False, "thinking": False}),
        "{{ reasoning_effort }}": ({"reasoning_effort": "high"}, {"reasoning_effort": "low"}),
        "{% if reasoning_effort == 'none' %}{% endif %}": ({"reasoning_effort": "high"}, {"reasoning_effort": "none"}),
    }
    for source, (on, off) in given.items():
        assert [template(tokenizer, EACH + source, thinking=one).variables for one in (True, False, None)] == [on, off, {}]


def test_thinking_is_refused_where_no_variable_says_so(tokenizer: Any) -> None:
    with pytest.raises(ConfigError, match=r"generator.thinking=false: the chat template of the model reads none of enable_thinking"):
        template(tokenizer, EACH, thinking=False)
    with pytest.raises(ConfigError, match="has no chat template that reads it"):
        template(tokenizer, None, thinking=True)


def test_what_a_template_is_given_and_what_it_asks_for_in_vain_are_told(tokenizer: Any) -> None:
    told = template(tokenizer, EACH + SWITCH + "{{ bos_token }}{{ add_vision_id }}", thinking=False).identity()
    assert (told["given"], told["not_given"]) == ({"enable_thinking": False}, ["add_vision_id"])
    assert told["shape"] == {"system": "role", "content": "text", "turns": "roles"}
    assert template(tokenizer, ONLY_LAST).identity()["shape_with_turns"] == {"system": "role", "content": "text", "turns": "question"}
    assert template(tokenizer, EACH).identity()["sha256"] != told["sha256"]


GENERATION = "{% if add_generation_prompt %}assistant: {% endif %}"


@pytest.mark.parametrize(
    ("source", "lead"),
    [
        (EACH + GENERATION, ""),
        ("{% for m in messages %}[{{ m.role }}]{% if m.role == 'assistant' %} {% endif %}{{ m.content }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}", " "),  # noqa: E501
        (EACH.replace("m.content", "(m.content if m.role == 'user' else '<think></think>' ~ m.content)") + GENERATION, "<think></think>"),
        (EACH + "{% if add_generation_prompt %}assistant: <think>\n{% endif %}", "\n</think>\n\n"),
        (EACH + "{% if add_generation_prompt %}assistant: <think></think>{% endif %}", ""),
        ("{% for m in messages if m.role != 'assistant' %}" + SAID + "{% endfor %}" + GENERATION, ""),
    ],
)  # fmt: skip
def test_an_answer_follows_as_the_template_writes_one_and_closes_a_thought_that_the_prompt_opened(
    tokenizer: Any, source: str, lead: str
) -> None:
    assert template(tokenizer, source).lead == lead


def test_templates_of_published_models_write_every_message_out_and_nothing_of_today(tokenizer: Any) -> None:
    files = sorted(Path(trl.__file__).parent.glob("chat_templates/*.jinja"))
    assert len(files) > 20
    talk = (("system", "Be  <|im_end|> brief."), ("user", "Who </think>?"), ("assistant", "Ada <think>."), ("user", "Where\nis she?"))
    shown = []
    for path in files:
        tokenizer.chat_template = "{% set bos_token = '<s>' %}" + path.read_text(encoding="utf-8")
        prompting = Prompting(tokenizer, None, path.stem, None, DAY)
        texts = [prompting.formatted(Prompt(messages, "", "")).text for messages in (talk[:2], talk)]
        shown += [path.stem for _, content in talk if " ".join(content.split()) in " ".join(texts[1].split())]
        assert str(date.today().year) not in texts[1].replace("2024", "")
    assert len(shown) == 4 * len(files)
