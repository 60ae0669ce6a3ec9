"""What counts as a secret or as personal, and how it is covered."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from secret_lines import AWS, BLIND_KEPT, BLIND_MASKED, BODY, GITHUB, HEX, KEPT, KEY, MASKED

from memos_cli.errors import UsageError
from memos_cli.interface.ingest.sources.reading import read_bytes
from memos_cli.interface.options import ReadOptions
from memos_cli.interface.redaction.redaction import find_personal, find_secrets, guard, knows_personal, mask
from memos_cli.interface.redaction.secret_cues import _CUES, _WIDER_CUES, find_suspects

WORD = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzz99"
HUGGING = "hf_" + "abcdefghijklmnopqrstuvwxyzABCDEFGH"
ANTHROPIC = "sk-ant-" + "api03-abcdefghijklmnop_qrstuvwxyz"
SLACK = "xoxb-" + "123456789012-1234567890123-AbCdEfGhIjKlMnOp"

SECRETS = {
    "a key of AWS in a sentence": (f"Use {AWS} for the backup.", AWS),
    "an assignment without quotes": (f"aws_secret_access_key = {WORD}", WORD),
    "a token in a shell script": (f"export GITHUB_TOKEN={GITHUB}", GITHUB),
    "a password in code": ('connect(user="ann", password="hunter2horse")', "hunter2horse"),
    "an environment file": ("DB_PASSWORD=s3cr3t!pw", "s3cr3t!pw"),
    "YAML": ("db:\n  password: Tr0ub4dor&3\n", "Tr0ub4dor&3"),
    "JSON": (f'{{"api_key": "{HEX}", "x": 1}}', HEX),
    "JSON within JSON": (f'{{"text": "{{\\"api_key\\": \\"{HEX}\\"}}"}}', HEX),
    "an address": ("postgres://ann:pa55w0rd@db.example.com/x", "pa55w0rd"),
    "a header": (f"Authorization: Bearer {HEX}", HEX),
    "Hugging Face": (f"login with {HUGGING}", HUGGING),
    "Anthropic": (ANTHROPIC, ANTHROPIC),
    "Slack": (SLACK, SLACK),
    "a private key": (f"The key:\n{KEY}\nEnd.", BODY),
    "half a private key": (KEY[:60], BODY[:20]),
    "a private key in JSON": (json.dumps({"key": KEY}), BODY),
    "after a letter that grows": (f"İstanbul: {AWS} and {GITHUB}", GITHUB),
}  # fmt: skip

NO_SECRETS = (
    "The wifi password of the cabin is bluebird42.",
    "Password: ask Ines for it",
    "The secret of good bread: patience, water and time.",
    'token = os.environ["TOKEN"]',
    "password = getpass.getpass()",
    "api_key: str",
    "api_key: ${API_KEY}",
    "PASSWORD=<your password>",
    "tokens: 4096",
    "max_tokens = 256",
    "secret: true",
    "Our password policy: 12 characters.",
    'tokenizer: "sentencepiece"',
    'tokenizer = "llama-3-8b"',
    "token_file: /etc/token.txt",
    "secret santa: Anna",
    "aws_session_token=aws_session_token,",
    "self.password = cluster.master_user_password",
    "const token = req.headers.authorization;",
    "sk-learn and the ask-me-anything of AC/DC",
    "5433 and 192.168.0.10:8080, 2026-05-01T12:00:00",
    "https://example.org/a:b@c and mailto:ann@example.org",
)


@pytest.mark.parametrize("what", SECRETS)
def test_a_secret_is_found_and_covered_and_nothing_else(what: str) -> None:
    text, secret = SECRETS[what]
    found = find_secrets(text)
    covered = mask(text, found)
    assert found
    assert secret not in covered
    assert len(covered) == len(text)
    assert covered.count("\n") == text.count("\n")
    for word in (
        "Use",
        "backup",
        "connect",
        "user",
        "postgres",
        "db.example.com",
        "export",
        "End.",
        "İstanbul",
    ):
        assert (word in covered) == (word in text)
    assert find_secrets(covered) == []


def _lines(text: str) -> list[str]:
    return [line.replace("⏎", "\n") for line in text.strip().splitlines()]


@pytest.mark.parametrize("line", _lines(MASKED) + _lines(BLIND_MASKED))
def test_a_secret_that_is_assigned_is_covered_in_every_notation(line: str) -> None:
    text = re.sub("[⟦⟧]", "", line)
    covered = mask(text, find_secrets(text))
    for secret in re.findall("⟦(.*?)⟧", line):
        assert secret not in covered
    if "AccountKey" not in line:  # its detector covers the name, too
        assert covered == re.sub("⟦(.*?)⟧", lambda match: re.sub(r"\S", "*", match[1]), line)


@pytest.mark.parametrize("line", _lines(KEPT) + _lines(BLIND_KEPT))
def test_a_line_without_a_secret_is_kept(line: str) -> None:
    assert mask(line, find_secrets(line)) == line


@pytest.mark.parametrize("what", ["JSON", "JSON within JSON", "a private key in JSON"])
def test_covered_json_is_still_json(what: str) -> None:
    text, _ = SECRETS[what]
    assert json.loads(mask(text, find_secrets(text))).keys() == json.loads(text).keys()


@pytest.mark.parametrize("text", NO_SECRETS)
def test_what_only_speaks_of_secrets_is_left_alone(text: str) -> None:
    assert find_secrets(text) == []


@given(st.text(max_size=60), st.sampled_from(sorted(SECRETS)), st.text(max_size=60))
def test_a_secret_is_found_wherever_it_stands_on_its_own_lines(before: str, what: str, after: str) -> None:
    text, secret = SECRETS[what]
    whole = f"{before}\n{text}\n{after}"
    covered = mask(whole, find_secrets(whole))
    assert secret not in covered
    assert len(covered) == len(whole)


@given(st.text(max_size=2000))
def test_any_text_can_be_looked_through(text: str) -> None:
    found = [*find_secrets(text), *find_personal(text)]
    assert all(0 <= each.start < each.end <= len(text) for each in found)


def test_a_long_line_is_looked_through_quickly_and_wholly() -> None:
    line = "token " * 50_000 + f"x={AWS}"
    assert AWS not in mask(line, find_secrets(line))


@pytest.mark.parametrize("unit", ["password", "sk-", "eyJ-", "://a:b", "ghp_"])
def test_an_endless_word_is_looked_through_in_linear_time(unit: str) -> None:
    """Some patterns need quadratic time, which is hours for this text; a secret at its end is still found."""
    token = "ghp_" + "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5"
    text = unit * (150_000 // len(unit)) + "," + token
    assert any(text[each.start : each.end].endswith(token) for each in find_secrets(text))


@pytest.mark.parametrize("blank", [" ", "\n", "é ", "1"])
@pytest.mark.parametrize("cue", sorted(_CUES | _WIDER_CUES))
def test_each_cue_is_noticed_wherever_it_stands(cue: str, blank: str) -> None:
    """A cue is looked for by a rare letter of it, so the letters around it must not hide it."""
    for text in (cue, f"{cue}{cue}", cue.join([cue[-1] * 400, cue[:1] * 4000])):
        whole = f"{blank}{text}{blank}"
        is_wider = not cue.isascii() or cue not in _CUES
        if is_wider and whole.isascii():
            continue
        near = find_suspects(whole)
        places = [match.start() for match in re.finditer(f"(?={re.escape(cue)})", whole.lower())]
        assert places
        assert all(any(start <= place < end for start, end in near) for place in places)


@pytest.mark.parametrize(
    "name",
    ["PAROLA", "ΚΩΔΙΚΌΣ", "κωδικός", "şifre", "ŞİFRE", "ПАРОЛЬ", "HASŁO", "To\u212aen", "密码", "Ключ API"],
)  # fmt: skip
def test_a_name_is_found_in_small_letters_and_capitals(name: str) -> None:
    value = "k4rtoffel9k4rtoffel9"
    line = f"{name}: {value}"
    assert mask(line, find_secrets(line)) == f"{name}: {'*' * len(value)}"


def test_the_three_ways() -> None:
    text, secret = SECRETS["a password in code"]
    assert guard(text, "allow") == (text, "secret")
    covered, level = guard(text, "mask")
    assert (secret in covered, level) == (False, "open")
    with pytest.raises(UsageError, match="password or key"):
        guard(text, "refuse")
    assert guard("My cat is called Miso.", "refuse") == ("My cat is called Miso.", "open")


@pytest.mark.skipif(not knows_personal(), reason="needs phonenumbers and python-stdnum")
@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("Call me: +44 20 7946 0958.", "phone number"),
        ("Ann's mail is ann.b@example.org", "mail address"),
        ("IBAN DE89 3704 0044 0532 0130 00", "bank account"),
        ("My card is 4111 1111 1111 1111, till May", "card number"),
    ],
)
def test_personal_data_is_found(text: str, what: str) -> None:
    assert [each.what for each in find_personal(text)] == [what]
    assert guard(text, "mask") == (text, "personal")
    twice = f"2 + 2 is 4, x@y {text}; 40% of 1+1 \u2013 or {text}"  # on one line, beside what is none
    alone = [twice[each.start : each.end] for each in find_personal(twice)]
    assert alone == [text[each.start : each.end] for each in find_personal(text)] * 2


@pytest.mark.skipif(not knows_personal(), reason="needs phonenumbers and python-stdnum")
@pytest.mark.parametrize(
    "text",
    [
        "order 1234567890123456",
        "IBAN DE89 3704 0044 0532 0130 01",
        "port 5433",
        "1.234567890123456",
        "a @ b",
        "+1 and +2",
    ],
)
def test_other_numbers_are_not_personal(text: str) -> None:
    assert find_personal(text) == []


OTHERWISE = {
    "a table in a string of JSON": (
        "a.json",
        r'[{"text": "| user | password |\n|---|---|\n| ann | ⟦k4rtoffel9⟧ |"}]',
    ),
    "an escape in JSON": ("a.jsonl", r'{"text": "Kennwort\u003a ⟦k4rtoffel9⟧"}'),
    "a delimiter in a cell": ("a.csv", 'user;Kennwort\nann;"⟦k4rt;offel9⟧"\n'),
    "a cell of two lines before": ("a.csv", 'user;note;Kennwort\nben;"x\ny";-\nann;"a;b";⟦k4rtoffel9⟧\n'),
    "marks within a word": ("a.html", "<p>Pass<b>word</b>: ⟦k4rtoffel9⟧</p>"),
    "a character reference": ("a.html", "<p>Password&#58; ⟦k4rtoffel9⟧</p>"),
}


@pytest.mark.parametrize("case", OTHERWISE)
def test_a_secret_is_found_however_its_source_writes_it(case: str) -> None:
    name, source = OTHERWISE[case]
    secret = source[source.index("⟦") + 1 : source.index("⟧")]
    data = source.replace("⟦", "").replace("⟧", "").encode()
    for policy in ("mask", "refuse", "allow"):
        result = read_bytes(data, "x", name, ReadOptions(secrets=policy))
        is_there = any(secret in draft.text for draft in result.drafts)
        assert is_there == (policy == "allow")
        assert bool(result.failed) == (policy == "refuse")
        assert any(draft.masked for draft in result.drafts) == (policy == "mask")
        assert any(draft.sensitivity == "secret" for draft in result.drafts) == (policy == "allow")
        assert (result.origin.sha256 == "") == (policy == "mask")
