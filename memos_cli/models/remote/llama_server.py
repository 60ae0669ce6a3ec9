"""llama-server: exact tokens, prompts as token ids, and states as slot files.

Prompts are made as for a model in this process: the template's own text is tokenized with control tokens,
memories without. See the endpoints in llama.cpp's ``tools/server/README.md``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memos_cli.errors import ModelUnfit
from memos_cli.models.gguf.gguf_header import read_header
from memos_cli.models.llama.prompt import Prompt, TokenPrompts
from memos_cli.models.llama.sampling import MIN_P
from memos_cli.models.llama.state_conditions import template_conditions
from memos_cli.models.remote.counting import estimate_tokens
from memos_cli.models.remote.server_engine import ServerEngine
from memos_cli.models.remote.streams import at, number_at, read_events, text_at
from memos_cli.slot_files import Receipt, digest_file, read_receipt, write_receipt

if TYPE_CHECKING:
    from memos_cli.models.llama.loaded_adapters import LoadedAdapter
    from memos_cli.models.remote.http_client import Client

_REMEMBERED = 4096
"""Maximum texts whose tokens are cached."""


class LlamaServer(TokenPrompts, ServerEngine):
    """A model in a llama-server."""

    batch = 64

    def __init__(self, client: Client, props: Mapping[str, Any], slots: Path | None) -> None:
        """Open a server. ``props`` is the response of ``/props``; ``slots`` is the server's folder for
        states, if known.
        """
        models = client.find("/v1/models") or {}
        path = text_at(props, "model_path")
        super().__init__(client, Path(path or text_at(props, "model_alias")).name or "llama-server")
        self.context = number_at(props, "default_generation_settings", "n_ctx")
        if not self.context:
            raise client.invalid_response("the size of its context is missing")
        self.day = date.today()
        """The date for chat templates, as in a model of this process."""
        self.template = text_at(props, "chat_template")
        self.marks = {name: text_at(props, name) for name in ("bos_token", "eos_token")}
        self.marks |= dict.fromkeys(("pad_token", "sep_token", "unk_token"), "")
        meta = at(models, "data", 0, "meta")
        self.parameters = number_at(meta, "n_params") or self.parameters
        # Another program may use the slot meanwhile: then the server reads ``tokens`` again.
        self._props, self._meta, self._path, self._slots = props, meta, path, slots
        self._slot = max(0, number_at(props, "total_slots") - 1)
        self._known: dict[tuple[str, bool, bool], list[int]] = {}
        self._is_fresh = False
        self._restored: Receipt | None = None
        """The receipt of the restored state, until something else is read."""
        self._per_token = 0.0
        self._unfit: str | None = None

    @property
    def limitations(self) -> Sequence[str]:
        limits = ["adapters are not used: the server would have to load them when it starts"]
        if self.unfit:
            limits.append(f"saved states are not used: {self.unfit}")
        if self.host:
            limits.append("the tokens of memories are estimated: only memories in the plan are sent")
        return limits

    # --- tokens ----------------------------------------------------------------------------------

    def tokenize(self, text: str, *, special: bool = False, start: bool = False) -> list[int]:
        """Return the tokens of ``text``; see ``ModelInfo.tokenize``."""
        if not text and not start:
            return []
        key = (text, special, start)
        if key not in self._known:
            body = {"content": text, "add_special": start, "parse_special": special}
            tokens = self.client.post("/tokenize", body).get("tokens")
            if not isinstance(tokens, list) or not all(isinstance(each, int) for each in tokens):
                raise self.client.invalid_response("the list of tokens is missing")
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = tokens
        return list(self._known[key])

    @property
    def adds_start(self) -> bool:
        return self.tokenize("a", start=True)[:1] != self.tokenize("a")[:1]

    def count(self, text: str) -> int:
        # Another machine gets only the texts that the answer needs: others are not sent to be counted.
        return estimate_tokens(text) if self.host else len(self.tokenize(text))

    # --- the sequence ----------------------------------------------------------------------------

    def clear(self) -> None:
        self.tokens, self._is_fresh, self._restored = [], True, None

    def held(self, tokens: Sequence[int]) -> int:
        pairs = zip(self.tokens, tokens[:-1], strict=False)  # the last is read in any case
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    def read(self, tokens: Sequence[int], on_tokens: Callable[[int], None] = lambda count: None) -> None:
        held = self.held(tokens)
        self._require_room(len(tokens))
        self.client.post("/completion", {**self._request(tokens), "n_predict": 0}, runs_model=True)
        self.tokens, self._restored = list(tokens), None
        on_tokens(len(tokens) - held)

    def read_prompt(
        self,
        prompt: Prompt,
        adapters: Sequence[tuple[LoadedAdapter, float]] = (),
        on_tokens: Callable[[int], None] = lambda count: None,
    ) -> None:
        """Store a prompt; it is sent with the request for its answer."""
        tokens = [*prompt.prefix, *prompt.question]
        self._require_room(len(tokens))
        self.tokens = tokens

    def _answer(self, limit: int, temperature: float, seed: int) -> Iterator[str]:
        body = {
            **self._request(self.tokens),
            "n_predict": min(limit, self.context - len(self.tokens)),
            "stream": True,
            "seed": seed,
            "temperature": temperature,
            "min_p": MIN_P,
            # No other sampler, whatever the server was started with: temperature 0 is the likeliest token.
            "samplers": ["min_p", "temperature"] if temperature > 0 else ["temperature"],
            "ignore_eos": False,
            "return_tokens": True,
        }
        for event in read_events(self.client.stream("/completion", body)):
            if "error" in event:
                raise self.client.refused(0, event)
            if isinstance(tokens := event.get("tokens"), list):
                self.tokens += [each for each in tokens if isinstance(each, int)]
            if piece := text_at(event, "content"):
                yield piece
            if event.get("stop"):
                self.ended = event.get("stop_type") in ("eos", "word")
                return
        raise self.client.ended_early()

    def _request(self, tokens: Sequence[int]) -> dict[str, Any]:
        is_fresh, self._is_fresh = self._is_fresh, False
        return {"prompt": list(tokens), "id_slot": self._slot, "cache_prompt": not is_fresh}

    def _require_room(self, wanted: int) -> None:
        if wanted >= self.context:
            raise ModelUnfit(
                f"{wanted} tokens do not fit the server's context of {self.context}",
                "lower query.memory or --max-tokens, or start the server with a larger context (-c)",
            )

    # --- saved states ----------------------------------------------------------------------------

    @property
    def unfit(self) -> str:
        if self._unfit is None:
            self._unfit = self._why_unfit()
        return self._unfit

    def _why_unfit(self) -> str:
        if self.host:
            return "a state would stay on another machine, where memos cannot delete it"
        if text_at(self._props, "model_path") and (problem := _drops_states(Path(self._path))):
            return problem
        # An invalid name changes nothing. The status shows whether the server has a folder.
        status, _ = self.client.try_post(f"/slots/{self._slot}?action=save", {"filename": "../"})
        return "" if status == 400 else "the server was started without --slot-save-path"

    @property
    def model_id(self) -> str:
        """An identifier of its model, from the path, the size, and the time of the file if it is readable."""
        facts = [self._path, *(number_at(self._meta, name) for name in ("size", "n_params", "n_vocab"))]
        try:
            facts.append(Path(self._path).stat().st_mtime_ns)
        except (OSError, ValueError):
            facts.append(0)
        return "llama-server:" + hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    @property
    def conditions(self) -> Mapping[str, str]:
        return {
            "engine": "llama-server",
            "llama.cpp": text_at(self._props, "build_info"),
            "context": str(self.context),
            "adapters": "",
            **template_conditions(self.template, self.day),
        }

    def save(self) -> memoryview:
        """Let the server save the state of the slot; return its receipt."""
        if self.unfit:
            raise ModelUnfit(f"the server cannot save a state: {self.unfit}", "see `memos help engines`")
        name, folder = self._slot_file(self.tokens), str(self._slots or "")
        if self._restored and (self._restored.slot_file, self._restored.folder) == (name, folder):
            return memoryview(write_receipt(self._restored))
        done = self.client.post(f"/slots/{self._slot}?action=save", {"filename": name}, runs_model=True)
        if number_at(done, "n_saved") != len(self.tokens):
            raise ModelUnfit("another program used the slot of the server meanwhile", "run it again")
        size = number_at(done, "n_written")
        self._per_token = size / len(self.tokens)
        digest = digest_file(folder, name) if folder else ""
        place = folder if digest else ""  # this is not the folder of the server
        receipt = Receipt(name, self.client.address.url, place, len(self.tokens), size, digest)
        return memoryview(write_receipt(receipt))

    def restore(self, state: memoryview, tokens: Sequence[int]) -> None:
        receipt = read_receipt(state)
        self.clear()
        if receipt is None or receipt.slot_file != self._slot_file(tokens):
            raise ModelUnfit("a saved state is not one of this server")
        # llama.cpp trusts a state file: if the file is readable here, its hash must match.
        if receipt.sha256 and digest_file(receipt.folder, receipt.slot_file) != receipt.sha256:
            raise ModelUnfit("the server's slot file was changed or deleted")
        status, done = self.client.try_post(
            f"/slots/{self._slot}?action=restore", {"filename": receipt.slot_file}
        )
        if status != 200:
            raise ModelUnfit("the server cannot restore its slot file")
        if number_at(done, "n_restored") != len(tokens):
            raise ModelUnfit("the server's slot file has other tokens")
        self.tokens, self._is_fresh, self._restored = list(tokens), False, receipt
        self._per_token = receipt.bytes / len(tokens)

    def state_size(self) -> int:
        return round(self._per_token * len(self.tokens))

    def _slot_file(self, tokens: Sequence[int]) -> str:
        """Return the name of the file for these tokens: no other state ever has it."""
        depends = json.dumps([self.model_id, sorted(self.conditions.items()), list(tokens)])
        return f"memos-{hashlib.sha256(depends.encode()).hexdigest()[:32]}.bin"


def _drops_states(path: Path) -> str:
    """Return the reason why llama.cpp would not use a saved state of the model at ``path``; "" if none is
    known.
    """
    try:
        header = read_header(path)
    except (ModelUnfit, OSError):
        return ""
    if header.number(f"{header.architecture}.attention.sliding_window") > 0:
        return "the model has sliding-window attention, which drops the states of older tokens"
    if any(key.startswith(f"{header.architecture}.ssm.") for key in header.values):
        return "it is a recurrent or hybrid model, which keeps no state for each token"
    return ""
