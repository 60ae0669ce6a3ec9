"""``memos completion``: the shell scripts that run ``completion.py`` at every TAB."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from memos_cli.cli.context import State
from memos_cli.cli.shared_options import arg, opt
from memos_cli.errors import MemosError, UsageError, require_known

_BASH = r"""# Completion of memos in bash.
_memos_completion() {
    local value
    COMPREPLY=()
    while IFS=$'\t' read -r value _; do
        COMPREPLY+=("$value")
    done < <(_MEMOS_COMPLETE=bash _MEMOS_BREAKS=$COMP_WORDBREAKS \
        "${1/#\~/$HOME}" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
}
# Older versions of bash sort what is offered.
complete -o bashdefault -o default -o nosort -F _memos_completion memos 2>/dev/null ||
    complete -o bashdefault -o default -F _memos_completion memos
"""
_ZSH = r"""#compdef memos
# Completion of memos in zsh.
_memos() {
    local -a values shown
    local line
    for line in "${(@f)$(_MEMOS_COMPLETE=zsh "${words[1]/#\~/$HOME}" \
            "${(j: :)words[1,CURRENT-1]} $PREFIX" 2>/dev/null)}"; do
        [[ -n $line ]] || continue
        values+=("${line%%$'\t'*}")
        shown+=("${line%%$'\t'*}  ${line#*$'\t'}")
    done
    if (( $#values )); then
        compadd -l -V memos -d shown -a values
    else
        _files
    fi
}
if [[ $funcstack[1] == _memos ]]; then
    _memos "$@"
else
    compdef _memos memos
fi
"""
_FISH = r"""# Completion of memos in fish.
function __memos_completion
    set -l words (commandline -opc)
    set -l found (_MEMOS_COMPLETE=fish command $words[1] (commandline -cp | string collect) 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c memos -f -k -a '(__memos_completion)'
"""


@dataclass(frozen=True, slots=True)
class _Shell:
    script: str
    variable: str
    """The variable with the folder of completions of the shell or the user."""
    default: str
    """That folder in the home folder."""
    place: str
    """The file in it."""
    next_step: str
    """What the user has to do next."""


_SHELLS = {
    "bash": _Shell(
        _BASH, "XDG_DATA_HOME", ".local/share", "bash-completion/completions/memos",
        "open a new terminal; without the package bash-completion, add to ~/.bashrc: source {file}",
    ),
    "zsh": _Shell(
        _ZSH, "XDG_DATA_HOME", ".local/share", "zsh/site-functions/_memos",
        "add to ~/.zshrc: fpath=({folder} $fpath); autoload -Uz compinit; compinit",
    ),
    "fish": _Shell(_FISH, "XDG_CONFIG_HOME", ".config", "fish/completions/memos.fish", "open a new terminal"),
}  # fmt: skip


def completion(
    state: State,
    shell: Annotated[str, arg("[SHELL]", "bash, zsh or fish. Default: your shell ($SHELL).")] = "",
    install: Annotated[bool, opt("--install", "Save it where the shell finds it.")] = False,
) -> None:
    """Print or install a script that completes commands with TAB.

    It completes commands, options, ids, tags, views, models and settings. It reads the vault as you, and
    offers only what you may read.

    Example:
      memos completion bash --install
      memos completion zsh > ~/.zfunc/_memos
    """
    name = shell or Path(os.environ.get("SHELL", "")).name
    if not name:
        raise UsageError("your shell is not known", "name it: memos completion bash")
    require_known("completion for", name, _SHELLS)
    chosen = _SHELLS[name]
    if not install:
        state.output.result({"shell": name, "script": chosen.script}, chosen.script.rstrip())
        return
    file = _save(chosen)
    state.output.result({"shell": name, "file": str(file)}, str(file))
    state.output.hint(chosen.next_step.format(file=file, folder=file.parent))


def _save(shell: _Shell) -> Path:
    """Write the script to its file, and return the path."""
    from memos_cli.files import write_output
    from memos_cli.folders import home_folder

    named = os.environ.get(shell.variable, "")
    home = home_folder()
    if not named and home is None:
        raise UsageError("there is no home folder", "set HOME, or print the script without --install")
    file = (Path(named) if named else Path(home or "", shell.default)) / shell.place
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_output(file, shell.script.encode())
    except OSError as error:
        hint = "print the script without --install, and save it elsewhere"
        raise MemosError(f"{file}: {error.strerror or error}", hint) from error
    return file
