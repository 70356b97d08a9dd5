"""`headrace completion`: a script that completes verbs and options in a shell, made of the verbs that there are."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...wiring.exits import Exit
from .tables import show

if TYPE_CHECKING:
    from ....dispatch.core.observer import Observer

BASH = """_headrace() {
    local word="${COMP_WORDS[COMP_CWORD]}" words
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="%(verbs)s"
    else
        case "${COMP_WORDS[1]}" in
%(cases)s
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$word"))
}
complete -F _headrace headrace"""
ZSH = "#compdef headrace\nautoload -Uz bashcompinit && bashcompinit\n" + BASH


def run(arguments: argparse.Namespace, observers: Sequence[Observer]) -> int:
    words = words_of(arguments.top)
    if arguments.shell == "fish":
        show("\n".join(_fish(words)))
    else:
        cases = "\n".join(f'            {verb}) words="{" ".join(each)}" ;;' for verb, each in words.items())
        form = BASH if arguments.shell == "bash" else ZSH
        show(form % {"verbs": " ".join(words), "cases": cases})
    return Exit.OK


def words_of(parser: argparse.ArgumentParser) -> Mapping[str, list[str]]:
    """For each verb its options and the verbs below it."""
    return {verb: _words(below) for verb, below in _below(parser).items()}


def _words(parser: argparse.ArgumentParser) -> list[str]:
    below = _below(parser)
    own = [option for action in parser._actions for option in action.option_strings if option.startswith("--")]
    return [*below, *own, *(word for each in below.values() for word in _words(each) if word not in own)]


def _below(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return action.choices
    return {}


def _fish(words: Mapping[str, list[str]]) -> list[str]:
    lines = [f"complete -c headrace -n __fish_use_subcommand -f -a '{' '.join(words)}'"]
    for verb, each in words.items():
        lines += [f"complete -c headrace -n '__fish_seen_subcommand_from {verb}' -a '{word}'" for word in each]
    return lines
