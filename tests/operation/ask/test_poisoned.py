"""Documents that speak to the model: what a plan does with them, and what a review says of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cli_harness import with_models
from prompt_harness import Model, prompt_text
from vault_harness import NOW, WHO

from memos_cli.cube import Filter
from memos_cli.interface.memory import Memos
from memos_cli.interface.options import AnswerOptions, IngestOptions
from memos_cli.operation.ask.injection_cues import suspicions
from memos_cli.operation.ask.prompt_layout import CITES_FROM, make_prompt
from memos_cli.settings import Settings

FOLDER = Path(__file__).parents[2] / "poisoned"
QUESTION = "When does the harbour office open?"
ELSEWHERE = {"chinese.md": "港口办公室几点开门？", "german.md": "Wann öffnet das Hafenbüro?"}
SPEAKS = {
    "plain-override.md": "ignore its instructions",
    "template-marks.txt": "marks of a chat template",
    "other-templates.txt": "marks of a chat template",
    "exfiltration.md": "what others must not have",
    "hidden.html": "cannot be seen",
    "turns.jsonl": "a role or a task",
    "chinese.md": "ignore its instructions",
    "german.md": "ignore its instructions",
}


def open_vault(folder: Path) -> Memos:
    return Memos(Settings(vault=str(folder), principal=WHO), clock=lambda: NOW)


def take_in(memos: Memos, name: str, quarantine: str = "never") -> None:
    memos.create_vault()
    memos.ingest([FOLDER / name], options=IngestOptions(quarantine=quarantine), embed=False)


def test_every_document_of_the_set_is_tried() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {*SPEAKS, "forged-note.txt", "innocent.md"}


@pytest.mark.parametrize("name", SPEAKS)
def test_a_review_says_what_is_suspicious(tmp_path: Path, name: str) -> None:
    with open_vault(tmp_path / "vault") as memos:
        take_in(memos, name, "always")
        waiting = [*memos.cubes(filter=Filter(states=("quarantined",)))]
        assert SPEAKS[name] in " ".join(reason for cube in waiting for reason in suspicions(cube.text))
        assert memos.search("harbour", filter=Filter()).hits == ()


def test_what_only_tells_of_instructions_is_not_suspicious() -> None:
    assert suspicions((FOLDER / "innocent.md").read_text()) == ()


@pytest.mark.parametrize("name", [*SPEAKS, "forged-note.txt"])
def test_a_numbered_note_is_quoted_to_its_last_line(name: str) -> None:
    """No line of a memory stands at the start of a line of the prompt, where notes and turns begin."""
    text = (FOLDER / name).read_text()
    prompt = prompt_text(Model(parameters=CITES_FROM, context=9000), text, "The other note.")
    for line in text.splitlines():
        assert f"\n> {line}\n" in prompt
        assert f"\n{line}\n" not in prompt or not line
    assert prompt.count("\n[") == 2


@with_models
@pytest.mark.parametrize("name", [*SPEAKS, "forged-note.txt"])
def test_a_poisoned_document_stays_text_in_the_prompt(tmp_path: Path, name: str) -> None:
    """Its marks are letters, not the model's own: a prompt with it has as many turns as one without."""
    with open_vault(tmp_path / "vault") as memos:
        memos.init()
        take_in(memos, name)
        memos.embed()
        plan = memos.plan(ELSEWHERE.get(name, QUESTION), filter=Filter(), options=AnswerOptions())
        assert plan.chosen
        engine = memos.engine
        special = {
            token for mark in ("<|im_start|>", "<|im_end|>") for token in engine.tokenize(mark, special=True)
        }
        assert len(special) == 2

        def turns(chosen: tuple[object, ...]) -> int:
            prompt = make_prompt(engine, replace(plan, chosen=chosen), QUESTION)  # type: ignore[arg-type]
            return sum(token in special for token in [*prompt.prefix, *prompt.question])

        assert turns(plan.chosen) == turns(())
        told = " ".join(note for note in plan.notes if "quoted" in note)
        shown = "\n".join(item.hit.cube.text for item in plan.chosen)
        assert bool(told) == bool(suspicions(shown))
