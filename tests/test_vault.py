"""Secrets at rest."""

import base64
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.vault import KEY_BYTES, Vault, VaultError, decode_key, hash_token, load_or_make_key

KEY = bytes(range(KEY_BYTES))


@given(secret=st.binary(), purpose=st.text(st.characters(codec="utf-8")))
def test_what_is_sealed_opens_again(secret: bytes, purpose: str) -> None:
    vault = Vault(KEY)

    assert vault.open(vault.seal(secret, purpose), purpose) == secret


def test_two_seals_differ_and_hide() -> None:
    vault = Vault(KEY)
    first, second = vault.seal(b"secret", "a"), vault.seal(b"secret", "a")

    assert first != second
    assert b"secret" not in first


def test_a_seal_opens_with_its_key_and_for_its_purpose_only() -> None:
    sealed = Vault(KEY).seal(b"secret", "monitor/1/token")
    for vault, box, purpose in (
        (Vault(KEY), sealed, "monitor/2/token"),
        (Vault(bytes(KEY_BYTES)), sealed, "monitor/1/token"),
        (Vault(KEY), sealed[:-1], "monitor/1/token"),
        (Vault(KEY), sealed[:-1] + bytes([sealed[-1] ^ 1]), "monitor/1/token"),
        (Vault(KEY), bytes([sealed[0] ^ 1]) + sealed[1:], "monitor/1/token"),
    ):
        with pytest.raises(VaultError, match="does not open with this encryption key"):
            vault.open(box, purpose)


@pytest.mark.parametrize("sealed", [bytes(12), bytes(27), bytes(28)])
def test_what_was_never_sealed(sealed: bytes) -> None:
    with pytest.raises(VaultError):
        Vault(KEY).open(sealed, "a")


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_of_another_length(length: int) -> None:
    with pytest.raises(VaultError, match=f"must be 32 bytes, not {length}"):
        Vault(bytes(length))


def test_a_key_in_its_written_form() -> None:
    text = base64.b64encode(KEY).decode()

    assert decode_key(f" {text}\n") == KEY
    for wrong in ("no base64!", "é", text[:-2]):
        with pytest.raises(VaultError, match="not base64"):
            decode_key(wrong)


def test_the_key_file_is_made_once_and_for_the_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "encryption.key"

    made = load_or_make_key(path)

    assert len(made) == KEY_BYTES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_make_key(path) == made
    path.write_text("rubbish!")
    with pytest.raises(VaultError):
        load_or_make_key(path)


def test_a_token_is_looked_up_by_a_known_hash() -> None:
    # printf abc | sha256sum
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert hash_token("abc") == expected
