"""Every error of the tree: one line, short, with advice, and the same again at the other end of the wire."""

from __future__ import annotations

import re

import pytest

from shared.errors import BY_CODE, MAX_TEXT, BridgeError, from_wire

LINE = re.compile(r"(?P<code>[A-Z_]+): (?P<fact>.+)\. Do: (?P<action>.+)\. Retry: (?P<retry>.+)\.")
RETRY = re.compile(r"never|now|after \d+ (s|min)|with the same client_order_id")


def every_class(root: type[BridgeError] = BridgeError) -> list[type[BridgeError]]:
    """The whole tree."""
    return [root, *(cls for sub in root.__subclasses__() for cls in every_class(sub))]


each_class = pytest.mark.parametrize("cls", every_class(), ids=lambda cls: cls.__name__)


def test_every_class_has_a_code_of_its_own() -> None:
    assert len({cls.code for cls in every_class()}) == len(every_class())
    assert set(BY_CODE.values()) == set(every_class())


@each_class
def test_an_error_is_one_line_with_fact_advice_and_retry(cls: type[BridgeError]) -> None:
    match = LINE.fullmatch(str(cls("a fact")))
    assert match is not None
    assert (match["code"], match["fact"]) == (cls.code, "a fact")
    assert RETRY.fullmatch(match["retry"])


@each_class
@pytest.mark.parametrize(
    "fact", ["x" * 5_000, "word " * 2_000, "line\nline\r\n\tline", "ends with a point.", "é" * 600]
)
def test_an_endless_or_broken_fact_is_cut_and_the_advice_stays(cls: type[BridgeError], fact: str) -> None:
    text = str(cls(fact))
    assert len(text) <= MAX_TEXT < 500
    assert "\n" not in text
    assert text.endswith(f". Do: {cls.action}. Retry: {cls.retry}.")
    assert ".." not in text


@each_class
def test_an_error_survives_the_wire(cls: type[BridgeError]) -> None:
    error = cls("a fact", action="do this", retry="after 7 s")
    again = from_wire(error.to_wire())
    assert type(again) is cls
    assert str(again) == str(error)


@each_class
def test_the_docstring_of_an_error_says_what_it_means(cls: type[BridgeError]) -> None:
    assert cls.__doc__
    assert cls.__doc__.strip().endswith(".")


@pytest.mark.parametrize("data", [{}, {"code": "FROM_THE_FUTURE", "fact": "new"}, {"code": None, "fact": 5}])
def test_an_error_of_another_release_is_still_an_error(data: dict[str, object]) -> None:
    assert str(from_wire(data))


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    from shared import errors

    drawn = re.findall(r"[├└]── (\w+)", errors.__doc__ or "")
    assert set(drawn) | {"BridgeError"} == {cls.__name__ for cls in every_class()}
