"""An endpoint answers in order, is asked again where that helps, and its faults are told from those of one question."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rag_eval.cost.prices import price, read_sheet
from rag_eval.errors import ConfigError, EnvironmentFault
from rag_eval.generate.endpoint import Endpoint
from rag_eval.testing.chat_endpoint import Answer, ChatEndpoint, completion, serving, stream
from rag_eval.types import Generation, Prompt, Spend
from tests.commands import Ended

KEY = "sk-very-secret"
SHEET = Path(__file__).parents[2] / "conf" / "hardware" / "api_small.yaml"


def prompt(question: str) -> Prompt:
    return Prompt((("system", "Be brief."), ("user", question)), f"Be brief.\n{question}", "", example_id=question)


def client(endpoint: ChatEndpoint, **changes: Any) -> Endpoint:
    given: dict[str, Any] = {"model": "m", "api_key_env": None, "max_new_tokens": 16, "concurrency": 4, "timeout_s": 5.0, "retries": 2}
    return Endpoint(base_url=endpoint.url, seed=3, **{**given, **changes})


def said(answer: Callable[[dict[str, Any], int], Answer], *questions: str, **changes: Any) -> list[Generation]:
    with serving(answer) as endpoint:
        return client(endpoint, **changes).generate([prompt(one) for one in questions])


def echo(body: dict[str, Any], n_before: int) -> Answer:
    return completion(body["messages"][-1]["content"].upper())


def test_answers_come_in_the_order_of_the_prompts_with_the_tokens_of_the_endpoint() -> None:
    asked = [f"q{at}" for at in range(20)]
    found = said(echo, *asked)
    assert [one.text for one in found] == [one.upper() for one in asked]
    assert {(one.n_prompt_tokens, one.n_output_tokens, one.stop_reason) for one in found} == {(7, 3, "stop")}
    shares = {one.total_s for one in found}
    assert len(shares) == 1
    assert (shares.pop() or 0) > 0


def test_a_request_is_greedy_and_carries_the_messages_and_what_was_set() -> None:
    with serving(echo) as endpoint:
        client(endpoint, stop=["\n"], extra={"max_tokens": None, "max_completion_tokens": 9}).generate([prompt("q")])
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "q"}]
    assert endpoint.asked == [
        {"model": "m", "messages": messages, "temperature": 0, "seed": 3, "stop": ["\n"], "max_completion_tokens": 9},
    ]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_passes_is_asked_again(status: int) -> None:
    (one,) = said(lambda body, n_before: (status, b"{}") if n_before < 2 else completion("yes"), "q")
    assert one.text == "yes"


@pytest.mark.parametrize("reply", [(500, b"{}"), (400, b"{}"), (200, b"not JSON"), (200, b'{"choices": []}')])
def test_a_request_that_fails_for_good_is_an_error_of_its_question_alone(reply: Answer, caplog: pytest.LogCaptureFixture) -> None:
    bad, good = said(lambda body, n_before: reply if body["messages"][-1]["content"] == "bad" else completion("yes"), "bad", "good")
    assert (bad.text, bad.stop_reason, bad.n_prompt_tokens, bad.n_output_tokens) == ("", "error", None, None)
    assert (good.text, good.stop_reason) == ("yes", "stop")
    assert "about 'bad' failed" in caplog.text


@pytest.mark.parametrize("status", [401, 402, 403, 404, 429])
def test_a_refusal_of_the_endpoint_ends_the_run_in_one_line(status: int) -> None:
    with pytest.raises(EnvironmentFault, match=f"127.0.0.1:\\d+ answered {status}") as raised:
        said(lambda body, n_before: (status, json.dumps({"error": {"message": f"bad key {KEY}"}}).encode()), "q", "r", retries=0)
    assert KEY not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_after_a_refusal_the_rest_is_not_asked() -> None:
    with serving(lambda body, n_before: (401, b"{}")) as endpoint, pytest.raises(EnvironmentFault):
        client(endpoint, concurrency=1).generate([prompt(str(at)) for at in range(50)])
    assert len(endpoint.asked) < 50


def test_an_endpoint_that_is_too_slow_or_not_there_ends_the_run() -> None:
    held = threading.Event()

    def never(body: dict[str, Any], n_before: int) -> Answer:
        held.wait(10)
        return completion("late")

    with serving(never) as endpoint:
        with pytest.raises(EnvironmentFault, match="did not answer in time"):
            client(endpoint, timeout_s=0.05, retries=0).generate([prompt("q")])
        held.set()
    with pytest.raises(EnvironmentFault, match="cannot be reached"):
        client(endpoint, retries=0).generate([prompt("q")])


def test_an_answer_that_was_cut_or_is_empty_says_so() -> None:
    assert said(lambda body, n_before: completion("so much", finish_reason="length"), "q")[0].stop_reason == "length"
    assert said(lambda body, n_before: completion(None), "q")[0].text == ""


def test_the_key_comes_from_the_environment_and_is_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    with serving(echo) as endpoint:
        asked = client(endpoint, api_key_env="MY_KEY")
        asked.generate([prompt("q")])
    assert endpoint.keys == [f"Bearer {KEY}"]
    assert KEY not in json.dumps(asked.identity())
    monkeypatch.delenv("MY_KEY")
    with pytest.raises(EnvironmentFault, match=r"MY_KEY is not set.*api_key_env=null"):
        client(endpoint, api_key_env="MY_KEY")


@pytest.mark.parametrize("url", ["https://me:pass@host/v1", "https://me@host/v1", "https://host/v1?key=1", "host:8000/v1", "ftp://host/v1"])
def test_an_address_with_a_secret_or_without_a_scheme_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="base_url") as raised:
        client(ChatEndpoint(echo, url))
    assert "pass@" not in str(raised.value)


def test_two_generators_are_the_same_if_model_host_and_decoding_are() -> None:
    def identity(url: str = "http://h:1/v1", **changes: Any) -> Any:
        return client(ChatEndpoint(echo, url), **changes).identity()

    assert identity()["base_model"] == "m at h:1"
    assert identity() == identity(concurrency=9, timeout_s=1.0, retries=0)
    different = [identity(url="http://h:2/v1"), identity(model="n"), identity(max_new_tokens=17), identity(stop=["x"])]
    assert identity() not in different


def test_one_request_is_timed_to_its_first_piece() -> None:
    with serving(lambda body, n_before: stream(["a ", "b"]) if body["stream"] else completion("?")) as endpoint:
        timed = client(endpoint).time_one(prompt("q"), None)
        assert endpoint.asked[0]["stream_options"] == {"include_usage": True}
        with pytest.raises(ConfigError, match="forced_tokens"):
            client(endpoint).time_one(prompt("q"), 5)
    one = timed.generation
    assert (one.text, one.n_prompt_tokens, one.n_output_tokens, timed.n_generated) == ("a b", 7, 2, 2)
    assert 0 < (one.first_token_s or 0) <= (one.total_s or 0)
    with serving(lambda body, n_before: stream(["a"], has_usage=False)) as endpoint, pytest.raises(EnvironmentFault, match="token counts"):
        client(endpoint).time_one(prompt("q"), None)


def test_its_tokens_are_what_it_costs() -> None:
    (one,) = said(lambda body, n_before: completion("yes", n_prompt=1_000_000, n_output=100_000), "q")
    spend = Spend(1.0, n_prompt_tokens=one.n_prompt_tokens, n_output_tokens=one.n_output_tokens)
    assert price(spend, read_sheet(SHEET), utilisation=1.0).usd == pytest.approx(0.20 + 0.125)


def test_a_run_counts_a_failed_request_as_an_error_and_ends_with_3(command: Callable[..., Ended]) -> None:
    def answer(body: dict[str, Any], n_before: int) -> Answer:
        return (500, b"{}") if "bad" in body["messages"][-1]["content"] else completion("egypt")

    rows = [{"id": f"q{at}", "question": text, "answers": ["Egypt"]} for at, text in enumerate(["good one?", "bad one?"])]
    Path("q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with serving(answer) as endpoint:
        where = [f"generator.base_url={endpoint.url}", "generator.api_key_env=null", "generator.retries=0", "n_probe=0"]
        asked = ["dataset=jsonl", "dataset.documents=null", "dataset.questions=q.jsonl"]
        ended = command("mode=closed_book", *asked, "generator=openai", "generator.model=m", *where)
    assert ended.code == 3, ended.err
    assert ended.record["facts"]["counts"]["n_error"] == 1
    assert ended.mean("answer/em") == 0.5


def test_a_thought_is_kept_apart_whether_the_endpoint_does_so_or_not() -> None:
    def reply(message: dict[str, Any], details: dict[str, Any] | None = None) -> Answer:
        usage = {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16, "completion_tokens_details": details}
        return 200, json.dumps({"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}).encode()

    replies = {
        "inside": reply({"content": "<think>Hm.</think>\n\nyes"}),
        "apart": reply({"content": "yes", "reasoning_content": "Hm."}, {"reasoning_tokens": 4}),
        "renamed": reply({"content": "yes", "reasoning": "Hm."}),
        "cut": reply({"content": None, "reasoning": "Hm."}, {"reasoning_tokens": 9}),
        "none": reply({"content": "yes"}, {"reasoning_tokens": 0}),
    }
    found = said(lambda body, n_before: replies[body["messages"][-1]["content"]], *replies)
    assert [(one.text, one.thought, one.n_thought_tokens) for one in found] == [
        ("yes", "Hm.", None),
        ("yes", "Hm.", 4),
        ("yes", "Hm.", None),
        ("", "Hm.", 9),
        ("yes", "", None),
    ]
    assert {one.n_output_tokens for one in found} == {9}


def test_a_plain_prompt_is_refused_before_anything_is_asked() -> None:
    with serving(echo) as endpoint:
        plain = replace(prompt("q"), style="plain")
        for ask in (client(endpoint).generate, client(endpoint).count_tokens):
            with pytest.raises(ConfigError, match=r"prompt\.style=plain cannot be asked of an endpoint"):
                ask([plain])
        assert endpoint.asked == []
