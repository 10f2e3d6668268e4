"""Sources of secrets: the environment, a file, or a systemd credential. Each is read only when needed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from watcher.core.secret import Secret

CREDENTIALS_DIRECTORY: Final = "CREDENTIALS_DIRECTORY"
"""systemd's variable for the folder of a unit's credentials, see systemd.exec(5), "Credentials"."""

LONGEST_BYTES: Final = 65536

VARIABLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class SecretError(Exception):
    """A secret cannot be read; the text names the problem and the remedy, and never holds the secret."""


class SecretsError(SecretError):
    """Several secrets cannot be read; each problem has its key in the file."""

    def __init__(self, problems: Sequence[str]) -> None:
        """Join the problems, one a line."""
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class SecretKind(StrEnum):
    """The three ways to give a secret; the values are the keys in the file."""

    ENV = "env"
    FILE = "file"
    CREDENTIAL = "credential"


@dataclass(frozen=True, slots=True)
class SecretRef:
    """The source of a secret; its text shows no secret."""

    kind: SecretKind
    name: str
    """The variable, the file with its folder, or the credential."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    def resolve(self, environ: Mapping[str, str]) -> Secret:
        """Read the secret now, without a line break at its end.

        Raises:
            SecretError: the secret is absent, unreadable, empty, or not one line of text.
        """
        match self.kind:
            case SecretKind.ENV:
                text = self._from_environment(environ)
            case SecretKind.FILE:
                text = self._from_file(Path(self.name), "create it, readable for this user alone")
            case SecretKind.CREDENTIAL:
                text = self._from_file(self._credential(environ), f"add LoadCredential={self.name}:… to the unit")
        return Secret(self._checked(text))

    def _from_environment(self, environ: Mapping[str, str]) -> str:
        text = environ.get(self.name)
        if text is None:
            raise SecretError(
                f"the environment variable {self.name} is not set; set it where the watcher is started "
                "(in a systemd unit: EnvironmentFile=), or give the secret as { file = … } or { credential = … }"
            )
        return text

    def _credential(self, environ: Mapping[str, str]) -> Path:
        folder = environ.get(CREDENTIALS_DIRECTORY)
        if not folder:
            raise SecretError(
                f"the credential {self.name} is not there: ${CREDENTIALS_DIRECTORY} is not set; only the systemd unit "
                f"has it: start the unit with LoadCredential={self.name}:…, whose daemon then serves this command, "
                f"or set the variable to a folder with the file {self.name}"
            )
        return Path(folder) / self.name

    def _from_file(self, path: Path, remedy: str) -> str:
        try:
            with path.open("rb") as file:
                content = file.read(LONGEST_BYTES + 1)
        except OSError as error:
            raise SecretError(f"the secret in {path} cannot be read: {error.strerror}; {remedy}") from None
        if len(content) > LONGEST_BYTES:
            raise SecretError(f"{path} is longer than {LONGEST_BYTES} bytes; put the secret alone into it")
        return self._decoded(content)

    def _decoded(self, content: bytes) -> str:
        # The error is raised outside the handler: a chained UnicodeDecodeError would carry the bytes of the secret.
        try:
            return content.decode()
        except UnicodeDecodeError:
            pass
        raise SecretError(f"the secret ({self}) is not UTF-8 text; write it again as plain text")

    def _checked(self, text: str) -> str:
        line = text.removesuffix("\n").removesuffix("\r")
        if not line:
            raise SecretError(f"the secret ({self}) is empty; put the secret there")
        if line != line.strip() or not line.isprintable():
            raise SecretError(
                f"the secret ({self}) has blanks around it, a control character or several lines; "
                "put the secret alone on one line"
            )
        return line
