"""Plain texts for wrong values of options and arguments, in place of those of the library that reads them."""

from __future__ import annotations

from typing import Any

import typer
import typer.core


class PlainGroup(typer.core.TyperGroup):
    """Runs a command; a wrong value ends it with a plain text."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - the library's own types are private
        """Run the command that the arguments name.

        Raises:
            typer.BadParameter: a value is wrong.
        """
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = plain_text(error.message, error.__cause__)
            raise


def plain_text(message: str, cause: BaseException | None) -> str:
    """Return the text of a wrong value; ``cause`` is the error of pydantic, if there is one."""
    details = getattr(cause, "errors", None)
    if details is None:
        return message
    found = details()[0]
    context = found.get("ctx", {})
    match found["type"]:
        case "value_error":
            return _with_proposal(str(context.get("error", message)).removesuffix("."), str(found.get("input", "")))
        case "greater_than_equal":
            return f"{found['input']!r} is too small; the least is {context['ge']}"
        case "less_than_equal":
            return f"{found['input']!r} is too large; the most is {context['le']}"
        case "int_parsing" | "int_from_float" | "int_parsing_size" | "int_type":
            return f"{found['input']!r} is no whole number"
        case _:
            return message


def _with_proposal(text: str, value: str) -> str:
    """Propose the choice that resembles the value."""
    # It would make the start of every command slower.
    from difflib import get_close_matches

    _, _, choices = text.partition(" is not one of ")
    near = get_close_matches(value, [choice.strip("'") for choice in choices.split(", ")], n=1)
    return f"{text}; did you mean {near[0]!r}?" if near else text
