"""Functions whose results are kept."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.cache import caches
from django.test import override_settings

from caching.decorators import CachedFunction, cached
from tests.caching.conftest import MakeCache

pytestmark = pytest.mark.django_db

calls: list[tuple[Any, ...]] = []


@cached(prefix="sum", timeout=60)
def total(a: int, b: int = 2, *rest: int, scale: int = 1, **more: int) -> int:
    calls.append((a, b, rest, scale, more))
    return (a + b + sum(rest) + sum(more.values())) * scale


@cached(tags=lambda user, **_: [f"user:{user}"])
def profile(user: int, *, detail: bool = False) -> dict[str, Any]:
    calls.append((user, detail))
    return {"user": user, "detail": detail}


@cached(prefix="fixed", tags=["one", "two"])
def fixed() -> int:
    calls.append(())
    return len(calls)


@cached(prefix="none")
def nothing(key: Any) -> None:
    calls.append((key,))


@pytest.fixture(autouse=True)
def _default_cache(make_cache: MakeCache) -> Iterator[None]:
    options = {"NAMESPACE": f"decorators-{uuid4()}", "REDIS_TIMEOUT_SECONDS": 2.0}
    backend = "caching.backend.MultiLevelCache"
    default = {"BACKEND": backend, "LOCATION": settings.REDIS_URL, "OPTIONS": options}
    calls.clear()
    with override_settings(CACHES={"default": default}):
        caches["default"].clear()
        yield
        caches["default"].clear()


def test_a_result_is_kept() -> None:
    assert [total(1, 2), total(1, 2), total(1, 3)] == [3, 3, 4]
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        pytest.param((1,), {}, id="default"),
        pytest.param((1, 2), {}, id="positional"),
        pytest.param((1,), {"b": 2}, id="keyword"),
        pytest.param((), {"b": 2, "a": 1}, id="keywords in another order"),
        pytest.param((1, 2), {"scale": 1}, id="default of a keyword"),
    ],
)
def test_all_ways_to_write_a_call_are_one_call(
    args: tuple[int, ...], kwargs: dict[str, int]
) -> None:
    total(1, 2)

    assert total(*args, **kwargs) == 3
    assert len(calls) == 1


def test_further_keywords_are_the_same_in_any_order() -> None:
    total(1, x=1, y=2)
    total(1, y=2, x=1)

    assert len(calls) == 1


@pytest.mark.parametrize(
    ("one", "another"),
    [
        pytest.param(1, True, id="1 and True"),
        pytest.param(1, "1", id="number and text"),
        pytest.param((1,), [1], id="tuple and list"),
        pytest.param(None, "", id="None and empty text"),
        pytest.param("a", b"a", id="text and bytes"),
    ],
)
def test_other_arguments_are_another_call(one: Any, another: Any) -> None:
    nothing(one)
    nothing(another)
    nothing(one)

    assert len(calls) == 2


def test_keys_begin_with_the_prefix_and_are_the_same_in_every_process() -> None:
    program = (
        "import django; django.setup();"
        "from tests.caching.test_decorators import nothing;"
        "print(nothing.key({'b', 'a', 'c', 'd'}))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout

    assert said.splitlines()[-1] == nothing.key({"a", "b", "c", "d"})
    assert nothing.key(1).startswith("none:")
    assert profile.key(1).startswith("tests.caching.test_decorators.profile:")


def test_none_is_kept() -> None:
    assert [nothing(1), nothing(1)] == [None, None]
    assert len(calls) == 1


def test_a_caller_gets_its_own_result() -> None:
    profile(1)["user"] = 2

    assert profile(1) == {"user": 1, "detail": False}


def test_tags_come_from_the_arguments() -> None:
    profile(1)
    profile(2)

    caches["default"].invalidate_tags("user:1")  # type: ignore[attr-defined]
    profile(1)
    profile(2)

    assert calls == [(1, False), (2, False), (1, False)]


@pytest.mark.parametrize("tag", ["one", "two"])
def test_tags_may_be_fixed(tag: str) -> None:
    first = fixed()

    caches["default"].invalidate_tags(tag)  # type: ignore[attr-defined]

    assert (first, fixed()) == (1, 2)


def test_one_result_may_be_forgotten() -> None:
    total(1)
    total(2)

    assert total.invalidate(1, 2) is True
    assert total.invalidate(1) is False
    total(1)
    total(2)
    assert [call[0] for call in calls] == [1, 2, 1]


def test_an_argument_that_is_no_plain_value_is_refused() -> None:
    with pytest.raises(TypeError, match="argument"):
        nothing(object())
    assert calls == []


def test_a_wrong_call_fails_as_the_function_would() -> None:
    with pytest.raises(TypeError, match="argument"):
        total()  # type: ignore[call-arg]
    with pytest.raises(ZeroDivisionError):
        failing()


@cached()
def failing() -> float:
    return 1 / 0


def test_a_coroutine_function_is_refused() -> None:
    async def answer() -> int:
        await asyncio.sleep(0)
        return 42

    with pytest.raises(TypeError, match="coroutine"):
        cached()(answer)


def test_it_is_still_the_function_by_its_name_and_its_words() -> None:
    def documented() -> None:
        """What it does."""

    wrapped: CachedFunction[[], None] = cached()(documented)

    assert wrapped.__doc__ == "What it does."
    assert repr(wrapped.__wrapped__).startswith("<function")  # type: ignore[attr-defined]
