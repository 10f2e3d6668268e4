from __future__ import annotations

from pathlib import Path

import pytest

from watcher.config import SecretError, SecretKind, SecretRef
from watcher.config.secrets import LONGEST_BYTES


def env(name: str = "NCP_SECRET_KEY") -> SecretRef:
    return SecretRef(SecretKind.ENV, name)


def file_with(folder: Path, content: bytes) -> SecretRef:
    path = folder / "secret"
    path.write_bytes(content)
    return SecretRef(SecretKind.FILE, str(path))


def test_a_secret_comes_from_the_environment() -> None:
    assert env().resolve({"NCP_SECRET_KEY": "s3cret"}).reveal() == "s3cret"


def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    assert file_with(tmp_path, b"s3cret").resolve({}).reveal() == "s3cret"


def test_a_file_is_read_again_each_time(tmp_path: Path) -> None:
    ref = file_with(tmp_path, b"old\n")
    assert ref.resolve({}).reveal() == "old"
    file_with(tmp_path, b"new\n")
    assert ref.resolve({}).reveal() == "new"


def test_a_secret_comes_from_a_credential_of_systemd(tmp_path: Path) -> None:
    (tmp_path / "ncp-secret-key").write_text("s3cret\n")
    ref = SecretRef(SecretKind.CREDENTIAL, "ncp-secret-key")

    assert ref.resolve({"CREDENTIALS_DIRECTORY": str(tmp_path)}).reveal() == "s3cret"


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_one_line_break_at_the_end_is_removed(tmp_path: Path, end: bytes) -> None:
    assert file_with(tmp_path, b"s3 cret" + end).resolve({}).reveal() == "s3 cret"


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n"])
def test_an_empty_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SecretError, match="is empty"):
        file_with(tmp_path, content).resolve({})


@pytest.mark.parametrize(
    "content",
    [
        b"HIDDEN\nsecond",
        b"HIDDEN\n\n",
        b" HIDDEN",
        b"HIDDEN ",
        b"HIDDEN\x00",
        b"HID\tDEN",
        b"HIDDEN\xff",
        b"\xffHIDDEN",
    ],
)
def test_a_secret_that_is_not_one_line_of_text_is_rejected_and_not_shown(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SecretError) as caught:
        file_with(tmp_path, content).resolve({})
    assert "HIDDEN" not in str(caught.value)
    assert caught.value.__context__ is None, "a chained error may carry the bytes"


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="longer than"):
        file_with(tmp_path, b"x" * (LONGEST_BYTES + 1)).resolve({})


def test_an_unset_variable_is_named_with_the_remedy() -> None:
    with pytest.raises(SecretError, match=r"variable NCP_SECRET_KEY is not set; set it .*EnvironmentFile="):
        env().resolve({"OTHER": "x"})


def test_an_empty_variable_is_refused() -> None:
    with pytest.raises(SecretError, match=r"env NCP_SECRET_KEY.* is empty; put the secret there"):
        env().resolve({"NCP_SECRET_KEY": ""})


def test_a_missing_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    ref = SecretRef(SecretKind.FILE, str(tmp_path / "none"))

    with pytest.raises(SecretError, match="none cannot be read: No such file or directory; create it"):
        ref.resolve({})


def test_a_folder_is_no_secret(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="Is a directory"):
        SecretRef(SecretKind.FILE, str(tmp_path)).resolve({})


def test_a_credential_outside_of_systemd_names_the_line_for_the_unit() -> None:
    with pytest.raises(SecretError, match=r"\$CREDENTIALS_DIRECTORY is not set; .*LoadCredential=key:"):
        SecretRef(SecretKind.CREDENTIAL, "key").resolve({})


def test_a_credential_that_the_unit_does_not_load_names_the_missing_line(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match=r"No such file .*; add LoadCredential=key:"):
        SecretRef(SecretKind.CREDENTIAL, "key").resolve({"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_the_text_of_a_reference_names_the_source_of_the_secret() -> None:
    assert str(env()) == "env NCP_SECRET_KEY"
