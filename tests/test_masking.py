"""Account numbers never stand readable in a log or a recording."""

from __future__ import annotations

import pytest

from shared.masking import mask_accounts


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("DU1234567", "DU****567"),
        ("U1234567", "U****567"),
        ("F1234567", "F****567"),
        ("DF1234567", "DF****567"),
        ("DUH123456", "DUH***456"),
        ("du1234567", "du****567"),
        ("U12345678 and DU7654321.", "U*****678 and DU****321."),
        ('{"account":"DU1234567"}', '{"account":"DU****567"}'),
        ("62\x001\x00DU1234567\x00AAPL\x00", "62\x001\x00DU****567\x00AAPL\x00"),
        ("acct=DU1234567,U1234567", "acct=DU****567,U****567"),
    ],
)
def test_an_account_number_is_starred_but_for_its_end(text: str, masked: str) -> None:
    assert mask_accounts(text) == masked


@pytest.mark.parametrize(
    "text",
    ["AAPL", "265598", "perm:1234567890", "USD", "a-u2345abcde", "20261218", "ESZ6", "F", "U12", "0af1234567890bcd"],
)
def test_nothing_else_is_touched(text: str) -> None:
    assert mask_accounts(text) == text


def test_a_text_keeps_its_length() -> None:
    text = "U1234 DU12345 F123456 DFX1234567 U123456789"
    assert len(mask_accounts(text)) == len(text)
    assert "1234" not in mask_accounts(text)
