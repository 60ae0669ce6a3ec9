"""What is trained in torch is what llama.cpp runs: the same logits in each family, adapted and not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_harness import with_models
from tiny_models import CONTROL, TRAINABLE, UNFIT, draw_adapter, write_model

from memos_cli.errors import ModelUnfit
from memos_cli.models.gguf.adapter_format import adapter_bytes, read_matrices
from memos_cli.models.gguf.families import TARGETS, memory_needed, trainable
from memos_cli.models.gguf.gguf_header import GgufTensor, read_header
from memos_cli.models.llama.llama_engine import Engine
from memos_cli.models.model_files import resolve_reader
from memos_cli.models.train.forward import Prefix
from memos_cli.models.train.trainee import Trainee
from memos_cli.operation.adapters.training import _Teacher

torch = pytest.importorskip("torch")

PREFIX, QUESTION = 50, 23
"""Tokens; with a window of 32, some layers see a part of them only."""
ALPHA, RANK = 2.0, 4
CLOSE = 1e-2
"""llama.cpp keeps keys and values in half precision."""

Tiny = Callable[[str], Path]
each_family = pytest.mark.parametrize("family", TRAINABLE)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    folder = tmp_path_factory.mktemp("models")

    def make(family: str) -> Path:
        path = folder / f"{family}.gguf"
        return path if path.exists() else write_model(path, family)

    return make


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def double() -> Iterator[None]:
    """New tensors are of double precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def open_trainee(path: Path, **options: object) -> Trainee:
    usual: dict[str, object] = {"rank": RANK, "alpha": ALPHA, "targets": TARGETS, "seed": 1, "threads": 1}
    return Trainee(path, **{**usual, **options})  # type: ignore[arg-type]


def tokens_of(count: int, seed: int = 0) -> list[int]:
    return np.random.default_rng(seed).integers(4, 260, count).tolist()  # type: ignore[no-any-return]


def run(path: Path, tokens: Sequence[int], adapter: Path | None = None, adapted_from: int = 0) -> np.ndarray:
    """llama.cpp's logits after each token from ``PREFIX`` on."""
    with Engine(path, context=256, threads=1) as engine:
        adapters = [(engine.load_adapter(adapter), 1.0)] if adapter else []
        engine.read(tokens[:PREFIX], adapters=adapters, adapted_from=adapted_from)
        engine.attach(adapters)
        rows = []
        for token in tokens[PREFIX:]:
            engine.decode([token])
            rows.append(engine.logits())
        return np.array(rows)


def write(path: Path, base: Path, matrices: dict[str, tuple[np.ndarray, np.ndarray]]) -> Path:
    architecture = read_header(base).architecture
    path.write_bytes(adapter_bytes(matrices, architecture=architecture, alpha=ALPHA, name="a", extra={}))
    return path


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """The largest of any row, relative."""
    return float((np.linalg.norm(one - other, axis=-1) / np.linalg.norm(other, axis=-1)).max())


# --- torch and llama.cpp ---------------------------------------------------------------------------


@each_family
def test_the_plain_model_says_what_llama_cpp_says(tiny: Tiny, family: str) -> None:
    tokens = tokens_of(PREFIX + QUESTION)
    trainee = open_trainee(tiny(family))
    theirs = run(tiny(family), tokens)
    prefix = trainee.read_prefix(tokens[:PREFIX])
    with torch.no_grad():
        whole = trainee.logits(None, [tokens], [range(PREFIX, len(tokens))])
        rest = trainee.logits(prefix, [tokens[PREFIX:]], [range(QUESTION)])
    for mine in (whole, rest):
        assert distance(mine.numpy(), theirs) < CLOSE
    assert torch.allclose(whole, rest, atol=1e-4)


@each_family
@pytest.mark.parametrize("adapted_from", [0, PREFIX], ids=["whole", "activated"])
def test_an_adapter_does_in_llama_cpp_what_it_does_in_torch(
    tiny: Tiny, tmp_path: Path, family: str, adapted_from: int
) -> None:
    base, tokens = tiny(family), tokens_of(PREFIX + QUESTION)
    trainee = open_trainee(base)
    trainee.load(draw_adapter(base, rank=RANK))
    file = write(tmp_path / "a.gguf", base, trainee.matrices())
    theirs, plain = run(base, tokens, file, adapted_from), run(base, tokens)
    with torch.no_grad():
        if adapted_from:
            prefix = trainee.read_prefix(tokens[:PREFIX])
            mine = trainee.logits(prefix, [tokens[PREFIX:]], [range(QUESTION)])
        else:
            mine = trainee.logits(None, [tokens], [range(PREFIX, len(tokens))])
    assert distance(mine.numpy(), theirs) < CLOSE
    assert distance(mine.numpy(), plain) > 20 * CLOSE
    other = run(base, tokens, file, PREFIX - adapted_from)
    assert distance(mine.numpy(), other) > 5 * CLOSE  # the one use is not the other


@each_family
@pytest.mark.parametrize("target", TARGETS)
def test_each_matrix_is_adapted_by_itself(tiny: Tiny, tmp_path: Path, family: str, target: str) -> None:
    base, tokens = tiny(family), tokens_of(PREFIX + 3)
    matrices = {name: pair for name, pair in draw_adapter(base).items() if f".{target}." in name}
    if not matrices:
        with pytest.raises(ModelUnfit, match=target):
            open_trainee(base, targets=[target])
        return
    trainee = open_trainee(base, targets=[target])
    trainee.load(matrices)
    theirs = run(base, tokens, write(tmp_path / "a.gguf", base, matrices))
    with torch.no_grad():
        mine = trainee.logits(None, [tokens], [range(PREFIX, len(tokens))]).numpy()
    assert distance(mine, theirs) < CLOSE
    assert distance(mine, run(base, tokens)) > CLOSE


def test_rows_of_the_llama_family_lie_as_in_gguf(tiny: Tiny, tmp_path: Path) -> None:
    """transformers has them in another order: an adapter from there is wrong without the permutation."""
    transformers = pytest.importorskip("transformers")
    base, tokens = tiny("llama"), tokens_of(PREFIX + QUESTION)
    weights = open_trainee(base)._network.weights
    heads = {"q": 4, "k": 2}
    config = transformers.LlamaConfig(
        vocab_size=len(weights["token_embd.weight"]), hidden_size=128, intermediate_size=64,
        num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-5,
        max_position_embeddings=2048, tie_word_embeddings=False, attn_implementation="eager",
    )  # fmt: skip

    def to_theirs(rows: torch.Tensor, count: int) -> torch.Tensor:
        return rows.unflatten(0, (count, -1, 2)).transpose(1, 2).reshape(rows.shape)

    def to_gguf(
        rows: torch.Tensor, count: int
    ) -> torch.Tensor:  # LlamaModel.permute of convert_hf_to_gguf.py
        return rows.unflatten(0, (count, 2, -1)).transpose(1, 2).reshape(rows.shape)

    names = {
        "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
    }  # fmt: skip
    adapter = {name: tuple(map(torch.from_numpy, pair)) for name, pair in draw_adapter(base).items()}
    state = {
        "model.embed_tokens.weight": weights["token_embd.weight"],
        "model.norm.weight": weights["output_norm.weight"],
        "lm_head.weight": weights["output.weight"],
    }
    permuted, as_it_was = {}, {}
    for name, weight in weights.items():
        if not name.startswith("blk."):
            continue
        _, layer, part, _ = name.split(".")
        count = heads.get(part.removeprefix("attn_"))
        own = to_theirs(weight, count) if count else weight
        if name in adapter:
            a, b = adapter[name]
            own = own + ALPHA / RANK * b @ a  # in their order of rows
            as_it_was[name] = (a.numpy(), b.numpy())
            permuted[name] = (a.numpy(), (to_gguf(b, count) if count else b).contiguous().numpy())
        state[f"model.layers.{layer}.{names[part]}.weight"] = own
    model = transformers.LlamaForCausalLM(config).eval()
    model.load_state_dict(state)
    with torch.no_grad():
        theirs = model(torch.tensor([tokens])).logits[0, PREFIX:].numpy()
    right = run(base, tokens, write(tmp_path / "right.gguf", base, permuted))
    wrong = run(base, tokens, write(tmp_path / "wrong.gguf", base, as_it_was))
    assert distance(right, theirs) < CLOSE
    assert distance(wrong, theirs) > 5 * CLOSE


def test_the_rotary_frequencies_of_a_file_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tiny_models

    draw = tiny_models._draw_weights
    own = np.linspace(1, 8, 16)

    def draw_more(*arguments: object) -> Iterator[tuple[str, np.ndarray]]:
        yield "rope_freqs.weight", own
        yield from draw(*arguments)  # type: ignore[arg-type]

    plain = write_model(tmp_path / "plain.gguf", "llama")
    monkeypatch.setattr(tiny_models, "_draw_weights", draw_more)
    path, tokens = write_model(tmp_path / "llama3.gguf", "llama"), tokens_of(PREFIX + QUESTION)
    theirs = run(path, tokens)
    with torch.no_grad():
        mine = open_trainee(path).logits(None, [tokens], [range(PREFIX, len(tokens))]).numpy()
    assert distance(mine, theirs) < CLOSE
    assert distance(run(plain, tokens), theirs) > 5 * CLOSE


@pytest.mark.parametrize("kind", ["F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_1"])
def test_a_quantised_base_is_dequantised(tiny: Tiny, tmp_path: Path, kind: str) -> None:
    import gguf

    reader = gguf.GGUFReader(tiny("qwen2"))
    number = gguf.GGMLQuantizationType[kind]
    writer = gguf.GGUFWriter(tmp_path / "q.gguf", "qwen2")
    for field in reader.fields.values():
        if not field.name.startswith(("GGUF.", "general.architecture")):
            element = field.types[1] if len(field.types) > 1 else None
            writer.add_key_value(field.name, field.contents(), field.types[0], element)
    for tensor in reader.tensors:
        is_matrix = tensor.name.startswith("blk") and len(tensor.shape) == 2
        if is_matrix:
            writer.add_tensor(tensor.name, gguf.quantize(tensor.data, number), raw_dtype=number)
        else:
            writer.add_tensor(tensor.name, np.array(tensor.data))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    tokens = tokens_of(PREFIX + QUESTION)
    theirs = run(tmp_path / "q.gguf", tokens)
    with torch.no_grad():
        mine = open_trainee(tmp_path / "q.gguf").logits(None, [tokens], [range(PREFIX, len(tokens))]).numpy()
    # llama.cpp also rounds what it multiplies quantised weights with.
    assert np.corrcoef(mine.ravel(), theirs.ravel())[0, 1] > 0.998


# --- batches ---------------------------------------------------------------------------------------


@each_family
def test_a_sequence_in_a_batch_is_what_it_is_alone(tiny: Tiny, family: str) -> None:
    trainee = open_trainee(tiny(family))
    trainee.load(draw_adapter(tiny(family)))
    prefix = trainee.read_prefix(tokens_of(PREFIX))
    sequences = [tokens_of(length, seed=length) for length in (7, 1, 40, 12)]
    wanted = [range(2, 6), range(1), range(0), range(11, 12)]
    for before in (prefix, None):
        with torch.no_grad():
            together = trainee.logits(before, sequences, wanted)
            alone = [trainee.logits(before, [s], [w]) for s, w in zip(sequences, wanted, strict=True)]
        assert torch.allclose(together, torch.cat(alone), atol=1e-4)
        assert len(together) == 4 + 1 + 0 + 1


def test_a_long_prefix_is_read_in_pieces(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    trainee, tokens = open_trainee(tiny("gemma3")), tokens_of(90)
    whole = trainee.read_prefix(tokens)
    monkeypatch.setattr("memos_cli.models.train.trainee._CHUNK", 16)
    pieces = trainee.read_prefix(tokens)
    assert len(whole) == len(pieces) == 90
    for mine, other in zip(whole.keys + whole.values, pieces.keys + pieces.values, strict=True):
        assert torch.allclose(mine, other, atol=1e-4)


def test_nothing_to_read_is_refused(tiny: Tiny) -> None:
    trainee = open_trainee(tiny("llama"))
    with pytest.raises(ValueError, match="prefix"):
        trainee.read_prefix([])
    for sequences in ([], [[1], []]):
        with pytest.raises(ValueError, match="sequence"):
            trainee.logits(None, sequences, [range(1)] * len(sequences))


# --- training --------------------------------------------------------------------------------------


def test_a_new_adapter_changes_nothing_and_is_of_its_seed(tiny: Tiny) -> None:
    trainee, again, other = (open_trainee(tiny("llama"), seed=seed) for seed in (1, 1, 2))
    tokens = tokens_of(30)
    with torch.no_grad():
        plain = trainee.logits(None, [tokens], [range(30)], adapted=False)
        assert torch.equal(trainee.logits(None, [tokens], [range(30)]), plain)
    first, second, third = (each.matrices() for each in (trainee, again, other))
    assert all(np.array_equal(first[name][0], second[name][0]) for name in first)
    assert not any(np.array_equal(first[name][0], third[name][0]) for name in first)
    assert not any(b.any() for _, b in first.values())


def test_only_the_adapter_learns_and_what_is_read_without_it_does_not(tiny: Tiny) -> None:
    trainee = open_trainee(tiny("qwen3"))
    trainee.load(draw_adapter(tiny("qwen3")))
    prefix = trainee.read_prefix(tokens_of(20))
    assert not any(each.requires_grad for each in (*prefix.keys, *prefix.values))
    assert not any(each.requires_grad for each in trainee._network.weights.values())
    assert not trainee.logits(prefix, [[5]], [range(1)], adapted=False).requires_grad
    trainee.logits(prefix, [tokens_of(9)], [range(9)]).sum().backward()
    assert len(trainee.parameters) == 2 * len(trainee.matrices()) == 2 * 2 * 7
    for parameter in trainee.parameters:
        assert parameter.dtype == torch.float32
        assert parameter.grad is not None
        assert parameter.grad.abs().max() > 0


@each_family
def test_gradients_are_those_of_small_steps(tiny: Tiny, family: str, double: None) -> None:
    trainee = open_trainee(tiny(family))
    trainee.load(draw_adapter(tiny(family)))
    network = trainee._network
    network.weights = {name: weight.double() for name, weight in network.weights.items()}
    network._output = network._output.double()
    for parameter in trainee.parameters:
        parameter.data = parameter.data.double()
    prefix, sequences = trainee.read_prefix(tokens_of(12)), [tokens_of(5, seed=1), tokens_of(9, seed=2)]

    def loss() -> torch.Tensor:
        logits = trainee.logits(prefix, sequences, [range(2, 5), range(8, 9)])
        return logits.log_softmax(-1)[:, 7].sum()

    loss().backward()
    for parameter in trainee.parameters:
        direction = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            parameter += 1e-6 * direction
            more = loss()
            parameter -= 2e-6 * direction
            less = loss()
        measured, told = float(more - less) / 2e-6, float((parameter.grad * direction).sum())
        assert measured == pytest.approx(told, rel=1e-3, abs=1e-3)


def test_a_backward_pass_ends_at_the_first_layer_with_an_adapter(tiny: Tiny) -> None:
    def count_nodes(trainee: Trainee) -> int:
        waiting, seen = [trainee.logits(None, [tokens_of(9)], [range(9)]).grad_fn], set()
        while waiting:
            node = waiting.pop()
            if node is not None and node not in seen:
                seen.add(node)
                waiting += [each for each, _ in node.next_functions]
        return len(seen)

    last = open_trainee(tiny("llama"), depth=0.5)
    assert {name.split(".")[1] for name in last.matrices()} == {"1"}
    assert count_nodes(last) < 0.6 * count_nodes(open_trainee(tiny("llama")))


def test_what_the_lower_layers_gave_is_kept_only_for_its_prefix(tiny: Tiny) -> None:
    path, question, other = tiny("llama"), tokens_of(9, 1), tokens_of(5, 2)
    upper = open_trainee(path, depth=0.5)
    with torch.no_grad():
        for parameter in upper.parameters:
            parameter.add_(0.1)
    whole = open_trainee(path)
    whole.load({**whole.matrices(), **upper.matrices()})

    def logits(trainee: Trainee, prefix: Prefix, *sequences: list[int]) -> torch.Tensor:
        return trainee.logits(prefix, sequences, [range(len(each)) for each in sequences]).detach()

    for tokens in (tokens_of(PREFIX), tokens_of(PREFIX, 3)):
        prefix = upper.read_prefix(tokens)
        wanted = logits(whole, whole.read_prefix(tokens), question, other)
        for _ in range(2):  # the second time from what was kept
            torch.testing.assert_close(logits(upper, prefix, question, other), wanted)
        torch.testing.assert_close(logits(upper, prefix, other), wanted[len(question) :])


def test_noise_is_on_what_the_lower_layers_give_and_never_kept(tiny: Tiny) -> None:
    trainee, question = open_trainee(tiny("llama"), depth=0.5), tokens_of(9)
    prefix = trainee.read_prefix(tokens_of(PREFIX))

    def logits(noise: float) -> torch.Tensor:
        with torch.no_grad():
            return trainee.logits(prefix, [question], [range(9)], noise=noise)

    plain = logits(0.0)
    one, other = logits(0.1), logits(0.1)
    assert not torch.equal(one, other)
    assert 0 < (one - plain).abs().max() < 10 * (logits(0.01) - plain).abs().max() + 1
    torch.testing.assert_close(logits(0.0), plain)


def test_an_answer_strays_where_a_memory_is_likelier_than_the_bases_best() -> None:
    base = torch.log_softmax(torch.tensor([[3.0, 0, 0], [0, 2.0, 0], [0, 0, 1.0]]), -1)
    teacher = _Teacher.of(base)
    path = (1, 1, 0)  # at the second place it is the base's own
    assert float(teacher.straying(base, path, 0.5)) == 0
    led = torch.log_softmax(torch.tensor([[0.0, 2.0, 0], [9.0, 0, 0], [0.3, 0, 0.5]]), -1)
    assert float(teacher.straying(led, path, 0.5)) == pytest.approx((2.5 + 0.3) / 2)
    assert float(teacher.straying(led, (0, 1, 2), 0.5)) == 0  # what the base says itself


def test_what_was_learned_is_what_llama_cpp_answers(tiny: Tiny, tmp_path: Path) -> None:
    base, prefix, question = tiny("qwen2"), tokens_of(PREFIX), tokens_of(9, 1)
    answer = [len(CONTROL) + byte for byte in b"a heron"]
    trainee = open_trainee(base, alpha=8.0, targets=["ffn_down", "attn_v"])
    before = trainee.read_prefix(prefix)
    optimizer = torch.optim.Adam(trainee.parameters, lr=0.02)
    for _ in range(60):
        wanted = range(len(question) - 1, len(question) + len(answer) - 1)
        logits = trainee.logits(before, [[*question, *answer]], [wanted])
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(logits, torch.tensor(answer)).backward()
        optimizer.step()
    file = tmp_path / "a.gguf"
    file.write_bytes(adapter_bytes(trainee.matrices(), architecture="qwen2", alpha=8.0, name="a", extra={}))
    with Engine(base, context=256, threads=1) as engine:
        adapter = engine.load_adapter(file)
        for adapters, likely in (([(adapter, 1.0)], True), ([], False)):
            engine.read([*prefix, *question], adapters=adapters, adapted_from=PREFIX)
            chance = np.exp(engine.score(answer))[np.arange(len(answer)), answer]
            assert (chance.min() > 0.5) == likely


def test_an_adapter_is_taken_over_from_its_file(tiny: Tiny, tmp_path: Path) -> None:
    trainee, other = open_trainee(tiny("phi3")), open_trainee(tiny("phi3"), seed=5)
    trainee.load(draw_adapter(tiny("phi3")))
    other.load(read_matrices(write(tmp_path / "a.gguf", tiny("phi3"), trainee.matrices())))
    for mine, theirs in zip(trainee.parameters, other.parameters, strict=True):
        assert torch.equal(mine, theirs)
    assert all(parameter.requires_grad for parameter in other.parameters)


def test_another_adapter_is_not_taken_over(tiny: Tiny) -> None:
    trainee = open_trainee(tiny("llama"), targets=["attn_q"])
    held = trainee.matrices()
    for other in (
        {},
        draw_adapter(tiny("llama")),
        {name: (a[:2], b[:, :2]) for name, (a, b) in held.items()},
    ):
        with pytest.raises(ValueError, match="adapter"):
            trainee.load(other)
    assert all(np.array_equal(a, held[name][0]) for name, (a, _) in trainee.matrices().items())


# --- what cannot be trained ------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", sorted({*UNFIT} - {*TRAINABLE}))
def test_another_architecture_is_refused(tmp_path: Path, architecture: str) -> None:
    path = write_model(tmp_path / "m.gguf", architecture)
    assert architecture in trainable(read_header(path))
    with pytest.raises(ModelUnfit, match=architecture) as refused:
        open_trainee(path)
    assert refused.value.hint


@each_family
def test_a_family_is_trainable_and_its_memory_reckoned(tiny: Tiny, family: str) -> None:
    header = read_header(tiny(family))
    assert trainable(header) == ""
    needed = memory_needed(header, 8, 500)
    assert needed > 4 * header.parameters
    assert memory_needed(header, 64, 500) > needed
    assert memory_needed(header, 8, 5000) > needed
    assert memory_needed(header, 8, 500_000, 0.5) < memory_needed(header, 8, 500_000)


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("expert_count", 8, "expert_count"),
        ("attention.scale", 0.5, "attention.scale"),
        ("rope.scaling.type", "yarn", "yarn"),
        ("attention.value_length", 16, "lengths"),
    ],
)
def test_what_is_not_known_here_is_refused(tiny: Tiny, key: str, value: object, word: str) -> None:
    header = read_header(tiny("llama"))
    assert word in trainable(replace(header, values={**header.values, f"llama.{key}": value}))  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "tensor",
    [
        GgufTensor("blk.0.ffn_gate_exps.weight", (8, 8, 8), 0, 0),
        GgufTensor("rope_factors_long.weight", (16,), 0, 0),
        GgufTensor("blk.0.attn_q.weight", (128, 128), 99, 0),
    ],
)
def test_a_tensor_that_is_not_known_here_is_refused(tiny: Tiny, tensor: GgufTensor) -> None:
    header = read_header(tiny("qwen2"))
    assert tensor.name in trainable(replace(header, listed=(*header.listed, tensor)))


@pytest.mark.parametrize("missing", ["blk.1.attn_k.weight", "output_norm.weight", "blk.0.ffn_down.weight"])
def test_a_model_without_a_tensor_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    import tiny_models

    draw = tiny_models._draw_weights

    def draw_less(*arguments: object) -> Iterator[tuple[str, np.ndarray]]:
        return ((name, values) for name, values in draw(*arguments) if name != missing)  # type: ignore[arg-type]

    monkeypatch.setattr(tiny_models, "_draw_weights", draw_less)
    with pytest.raises(ModelUnfit, match=missing.removesuffix(".weight")):
        open_trainee(write_model(tmp_path / "m.gguf", "llama"))


def test_a_model_that_was_cut_short_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    data = tiny("llama").read_bytes()
    (tmp_path / "cut.gguf").write_bytes(data[:-100])
    with pytest.raises(ModelUnfit, match=r"cut\.gguf"):
        open_trainee(tmp_path / "cut.gguf")


@with_models
def test_the_embedded_model_is_trained_as_llama_cpp_runs_it(tmp_path: Path) -> None:
    path = resolve_reader("").path
    header = read_header(path)
    assert trainable(header) == ""
    trainee = open_trainee(path, targets=["attn_q", "attn_k", "ffn_down"])
    random = np.random.default_rng(1)
    drawn = {
        name: (a, 2.0 * random.standard_normal(b.shape).astype(np.float32))
        for name, (a, b) in trainee.matrices().items()
    }
    trainee.load(drawn)
    file = write(tmp_path / "a.gguf", path, trainee.matrices())
    with Engine(path, vocabulary_only=True) as engine:
        tokens = engine.tokenize("The heron stands in room 7 and naps on Monday. " * 6)[: PREFIX + QUESTION]
    theirs, plain = run(path, tokens, file, PREFIX), run(path, tokens)
    prefix = trainee.read_prefix(tokens[:PREFIX])
    with torch.no_grad():
        mine = trainee.logits(prefix, [tokens[PREFIX:]], [range(len(tokens) - PREFIX)]).numpy()
    # llama.cpp also rounds what it multiplies the quantised weights with; how that adds up depends on the
    # processor: 0.9969 with AVX-512 VNNI, above 0.998 without.
    assert np.corrcoef(mine.ravel(), theirs.ravel())[0, 1] > 0.995
    assert np.corrcoef(mine.ravel(), plain.ravel())[0, 1] < 0.99
