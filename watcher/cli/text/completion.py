"""Scripts that complete the command in bash, zsh and fish.

Each script holds the whole table of commands, so that a press of TAB starts no process. All three walk over the words
before the cursor: a command leads on, and an option that has a value takes the next word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from watcher.cli.command_tree import Command, Option, Value, ValueKind

FILE: Final = "@file"
TEXT: Final = "@text"

BASH: Final = """\
# bash completion of aitems-watcher, made by "aitems-watcher completion bash"

_aitems_watcher_read() {{
    case "$at|$1" in
{steps}
    esac
}}

_aitems_watcher_files() {{
    local IFS=$'\\n'
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -f -- "$cur"))
}}

_aitems_watcher() {{
    local cur="${{COMP_WORDS[COMP_CWORD]}}" at="" value="" options="" arguments="" i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        # bash makes --option=value three words.
        if [[ ${{COMP_WORDS[i]}} == "=" ]]; then
            continue
        elif [[ -n $value ]]; then
            value=""
        else
            _aitems_watcher_read "${{COMP_WORDS[i]}}"
        fi
    done
    if [[ $cur == "=" ]]; then
        cur=""
    fi
    case "$at" in
{levels}
    esac
    if [[ -n $value ]]; then
        arguments="$value"
    elif [[ $cur == -* || -z $arguments ]]; then
        arguments="$options"
    fi
    case "$arguments" in
        @file) _aitems_watcher_files ;;
        @text) ;;
        *) COMPREPLY=($(compgen -W "$arguments" -- "$cur")) ;;
    esac
}}

complete -F _aitems_watcher aitems-watcher
"""

ZSH: Final = """\
#compdef aitems-watcher
# zsh completion of aitems-watcher, made by "aitems-watcher completion zsh"

_aitems_watcher_read() {{
    case "$at|$1" in
{steps}
    esac
}}

_aitems_watcher() {{
    local cur="${{words[CURRENT]}}" at="" value="" arguments="" i
    local -a commands options
    for ((i = 2; i < CURRENT; i++)); do
        if [[ -n $value ]]; then
            value=""
        else
            _aitems_watcher_read "${{words[i]}}"
        fi
    done
    if [[ -z $value && $cur == --*=* ]]; then
        _aitems_watcher_read "${{cur%%=*}}"
        compset -P '*='
    fi
    case "$at" in
{levels}
    esac
    case "${{value:-$arguments}}" in
        @file) if [[ -n $value || $cur != -* ]]; then _files; return; fi ;;
        @text) if [[ -n $value ]]; then return 1; fi ;;
        ?*) if [[ -n $value || $cur != -* ]]; then compadd -- ${{=value:-$arguments}}; return; fi ;;
    esac
    if [[ $cur != -* && ${{#commands}} -gt 0 ]]; then
        _describe -t commands command commands
    else
        _describe -o -t options option options
    fi
}}

if [[ "${{funcstack[1]}}" == "_aitems-watcher" ]]; then
    _aitems_watcher "$@"
else
    compdef _aitems_watcher aitems-watcher
fi
"""

FISH: Final = """\
# fish completion of aitems-watcher, made by "aitems-watcher completion fish"

function __aitems_watcher_at --description 'Whether the words so far lead to this command'
    set -l words (commandline -opc)
    set -l at ''
    set -l value ''
    for word in $words[2..-1]
        if test -n "$value"
            set value ''
            continue
        end
        switch "$at|$word"
{steps}
        end
    end
    test "$at" = "$argv"
end

complete -c aitems-watcher -f
{levels}
"""


def bash_script(commands: Sequence[Command]) -> str:
    """Return the script for bash."""
    return BASH.format(steps=_joined(_steps(commands)), levels=_joined(map(_bash_level, commands)))


def zsh_script(commands: Sequence[Command]) -> str:
    """Return the script for zsh."""
    return ZSH.format(steps=_joined(_steps(commands)), levels=_joined(map(_zsh_level, commands)))


def fish_script(commands: Sequence[Command]) -> str:
    """Return the script for fish."""
    lines = [line for command in commands for line in _fish_lines(command)]
    return FISH.format(steps=_joined(_fish_steps(commands)), levels="\n".join(lines))


SCRIPTS: Final[Mapping[str, Callable[[Sequence[Command]], str]]] = MappingProxyType(
    {"bash": bash_script, "zsh": zsh_script, "fish": fish_script}
)


def _joined(lines: Iterable[str]) -> str:
    return "\n".join(f"        {line}" for line in lines)


def _steps(commands: Sequence[Command]) -> Iterator[str]:
    """Yield a branch for each word that leads to a command, or that takes a value; one word stands for several."""
    for command in commands:
        at = " ".join(command.path)
        for name, _ in command.members:
            yield f'"{at}|{name}") at="{_below(command, name)}" ;;'
        for option in command.options:
            if option.value is not None:
                patterns = "|".join(f'"{at}|{name}"' for name in option.names)
                yield f'{patterns}) value="{_words(option.value)}" ;;'


def _fish_steps(commands: Sequence[Command]) -> Iterator[str]:
    for command in commands:
        at = " ".join(command.path)
        for name, _ in command.members:
            yield f"    case '{at}|{name}'"
            yield f"        set at '{_below(command, name)}'"
        patterns = [f"'{at}|{name}'" for option in command.options if option.value for name in option.names]
        if patterns:
            yield f"    case {' '.join(patterns)}"
            yield "        set value 1"


def _below(command: Command, name: str) -> str:
    return " ".join((*command.path, name))


def _words(value: Value) -> str:
    return {ValueKind.FILE: FILE, ValueKind.TEXT: TEXT}.get(value.kind) or " ".join(value.choices)


def _bash_level(command: Command) -> str:
    options = " ".join(name for option in command.options for name in option.names)
    words = " ".join(name for name, _ in command.members)
    if command.argument is not None:
        words = _words(command.argument)
    return f'"{" ".join(command.path)}") options="{options}" arguments="{words}" ;;'


def _zsh_level(command: Command) -> str:
    options = " ".join(_described(name, option.summary) for option in command.options for name in option.names)
    members = " ".join(_described(name, summary) for name, summary in command.members)
    argument = "" if command.argument is None else _words(command.argument)
    return f'"{" ".join(command.path)}") options=({options}) commands=({members}) arguments="{argument}" ;;'


def _described(name: str, summary: str) -> str:
    return _quoted(f"{name}:{summary}")


def _fish_lines(command: Command) -> Iterator[str]:
    condition = " ".join(("__aitems_watcher_at", *command.path))
    start = f"complete -c aitems-watcher -n {_fish_quoted(condition)}"
    for name, summary in command.members:
        yield f"{start} -a {name} -d {_fish_quoted(summary)}"
    if command.argument is not None and command.argument.kind is not ValueKind.TEXT:
        yield f"{start} {_fish_value(command.argument)}"
    for option in command.options:
        yield f"{start} {_fish_option(option)} -d {_fish_quoted(option.summary)}"


def _fish_option(option: Option) -> str:
    names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
    if option.value is None:
        return names
    return f"{names} -r {_fish_value(option.value)}"


def _fish_value(value: Value) -> str:
    match value.kind:
        case ValueKind.FILE:
            return "-F"
        case ValueKind.CHOICE:
            return f"-f -a {_fish_quoted(' '.join(value.choices))}"
    return "-f"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
