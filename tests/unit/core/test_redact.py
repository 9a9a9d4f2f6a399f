"""Redaction: what is masked and what is not, twice is once, nothing raises, and it is counted."""

from __future__ import annotations

import threading
from enum import StrEnum

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from awf.core.counters import Counters
from awf.core.redact import KINDS, MEMO_CHARACTERS, MEMO_STRINGS, Redactor
from awf.core.semconv import REDACTIONS
from awf.errors import ConfigError
from awf.testing import FakeSecretTokens
from tests.unit.core._secrets import HARMLESS, JWT, MADE_KEYS, MASKED, mixed, pem

REDACTOR = Redactor({"employee": r"EMP-\d{6}", "word": "zebra"}, secret_names=["employee_number"])
REVERSIBLE = Redactor(tokens=FakeSecretTokens())

# Pieces that mean something to the redactor: put together they are more hostile than random characters.
_PIECES = st.sampled_from(
    [*MADE_KEYS.values(), *MASKED, *MASKED.values(), *HARMLESS, "password", "token", "=", ": ", '"', "'", "\\", "[", "]",
     "://", "@", "%40", ".com", "[secret]", "[email:", "3fa9c1d2]", "bearer ", "-----BEGIN ", "PRIVATE KEY-----", "-----END ",
     "4111", " ", "-", "\n", "&", ",", ";", "--", "<", ">", "{", "}", "sk-", "eyJ", "EMP-123456", "zebra", "Cookie: "]
)  # fmt: skip
_HOSTILE = st.lists(st.one_of(_PIECES, st.text(max_size=5)), max_size=12).map("".join)
_STRUCTURES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), _HOSTILE, st.binary()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.tuples(inner, inner), st.dictionaries(_HOSTILE, inner, max_size=3)
    ),
    max_leaves=8,
)


# -- text


@pytest.mark.parametrize("maker", MADE_KEYS)
@pytest.mark.parametrize(
    "around", ["{}", "calling with {} now", '"{}"', "({}),", "x={}&y=1", "https://api/{}?x=1"]
)
def test_a_key_of_a_known_maker_is_masked_wherever_it_stands(maker: str, around: str) -> None:
    assert REDACTOR.text(around.format(MADE_KEYS[maker])) == around.format("[api_key]")


@pytest.mark.parametrize("text", MASKED)
def test_a_secret_is_masked_and_what_surrounds_it_stays(text: str) -> None:
    assert REDACTOR.text(text) == MASKED[text]


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_telemetry_stays_as_it_is(text: str) -> None:
    assert REDACTOR.text(text) == text


@pytest.mark.parametrize(("start", "year"), [(1_600_000_000, 2020), (2_100_000_000, 2036)])
def test_no_time_of_our_days_is_taken_for_a_card(start: int, year: int) -> None:
    for unit in (1_000, 1_000_000, 1_000_000_000):
        for step in range(2_000):
            assert REDACTOR.text(str((start + step * 7_919) * unit + step)).isdigit(), year


def test_the_widest_secret_wins() -> None:
    assert REDACTOR.text("password='mail bob@example.com 4111111111111111'") == "password='[password]'"
    assert REDACTOR.text(f"token={JWT}xyz!~{mixed(4)}") == "token=[secret]"


def test_a_private_key_does_not_take_the_text_after_it_along() -> None:
    assert REDACTOR.text(f"{pem()} - {pem()} - done") == "[private_key] - [private_key] - done"


@given(_HOSTILE)
@example("[password:hunter2]")
@example("password=[secret]x")
@example("token=[secret]\\n")
@example("EMP-123456zebra@example.com")
def test_masking_twice_changes_nothing(text: str) -> None:
    for redactor in (REDACTOR, REVERSIBLE):
        once = redactor.text(text)
        assert redactor.text(once) == once


@given(st.text())
def test_any_text_has_an_answer(text: str) -> None:
    assert isinstance(REDACTOR.text(text), str)


def test_text_that_no_encoding_takes_has_an_answer() -> None:
    assert REVERSIBLE.text("password=\ud800\udfff") != "password=\ud800\udfff"


# -- what a user adds


def test_a_pattern_of_the_user_is_masked_as_its_kind() -> None:
    assert REDACTOR.text("by EMP-123456, a zebra") == "by [employee], a [word]"


def test_a_pattern_does_not_reach_into_masks() -> None:
    redactor = Redactor({"letters": "[a-z]+", "secretive": "secret"})
    masked = redactor.text("password=hunter2 SECRET secret")
    assert masked == "[letters]=[password] SECRET [letters]"
    assert redactor.text(masked) == masked


def test_a_pattern_that_never_comes_to_rest_masks_the_whole_text() -> None:
    redactor = Redactor({"last": r".$"})
    assert redactor.text("abcdefghijkl") == "[secret]"
    assert redactor.text("[secret]") == "[secret]"


@pytest.mark.parametrize(
    "name", ["employee_number", "employeeNumber", "hr.employee-number", "EMPLOYEE NUMBER"]
)
def test_the_value_of_a_name_of_the_user_is_masked(name: str) -> None:
    assert REDACTOR.text(f"{name}=abc7") == f"{name}=[secret]"
    assert REDACTOR.value(name, 7) == "[secret]"


@pytest.mark.parametrize("pattern", ["(", "*a", "a{2,1}", "(?P<x>a)(?P<x>b)"])
def test_a_pattern_that_is_none_is_refused_by_name(pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"'badge' is no regular expression"):
        Redactor({"badge": pattern})


@pytest.mark.parametrize("pattern", ["", "a*", "x?", r"\b", "(?=A)", "a|", "^", "$"])
def test_a_pattern_that_matches_nothing_at_all_is_refused_by_name(pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"'badge' matches the empty string"):
        Redactor({"badge": pattern})


@pytest.mark.parametrize("kind", ["", "a b", "a]", "1", "ä", "x" * 33])
def test_a_kind_that_fits_no_mask_is_refused(kind: str) -> None:
    with pytest.raises(ConfigError, match="cannot be shown"):
        Redactor({kind: "abc"})


@pytest.mark.parametrize("name", ["", "1", "a=b", "größe"])
def test_a_secret_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is no name"):
        Redactor(secret_names=[name])


# -- structured data


@pytest.mark.parametrize(
    ("name", "value", "masked"),
    [
        ("password", "hunter2", "[password]"),
        ("db.password", 12345, "[password]"),
        ("apiKey", 1.5, "[secret]"),
        ("Authorization", "Bearer abc", "[bearer]"),
        ("api_key", MADE_KEYS["anthropic"], "[api_key]"),
        ("credentials", {"user": "bob", "pw": "x"}, "[secret]"),
        ("refresh_tokens", ["a", "b"], "[secret]"),
        ("secret", b"abc", "[secret]"),
        ("password", None, None),
        ("password", False, False),
        ("password", "", ""),
        ("password", "[password]", "[password]"),
        ("input_tokens", 12, 12),
        ("card", 4111111111111111, 4111111111111111),
        ("note", "mail bob@example.com", "mail [email]"),
        ("rows", [("a@x.org", 1), "b@y.org"], [("[email]", 1), "[email]"]),
        ("headers", {"Cookie": "a=b", "accept": "*/*"}, {"Cookie": "[secret]", "accept": "*/*"}),
        (
            "headers",
            [("x-api-key", "abc"), ("accept", "*/*")],
            [("x-api-key", "[secret]"), ("accept", "*/*")],
        ),
        ("env", [{"name": "DB_PASS", "value": "x"}], [{"name": "DB_PASS", "value": "[password]"}]),
        ("by_user", {"bob@example.com": 1, 7: True}, {"[email]": 1, 7: True}),
        ("by_user", {"a@x.org": 1, "b@x.org": 2}, {"[email]": 1, "[email] 2": 2}),
        ("error", ValueError("token=abc"), "token=[secret]"),
    ],
)
def test_structured_data_keeps_its_form_and_loses_its_secrets(
    name: str, value: object, masked: object
) -> None:
    assert REDACTOR.value(name, value) == masked


def test_the_given_structure_is_not_changed() -> None:
    given_value = {"a": [{"password": "hunter2"}]}
    REDACTOR.value("x", given_value)
    assert given_value == {"a": [{"password": "hunter2"}]}


def test_beyond_a_depth_there_is_a_note() -> None:
    nested: list[object] = []
    nested.append(nested)  # without end
    assert "[too deep]" in str(REDACTOR.value("x", nested))


def test_beyond_a_number_of_items_there_is_a_note() -> None:
    wide: dict[str, object] = {}
    wide |= {str(number): wide for number in range(50)}  # 50 to the power of the depth
    assert "[too many]" in str(REDACTOR.value("x", wide))


def test_keys_that_look_alike_keep_their_values_however_many_they_are() -> None:
    masked = REDACTOR.value("by_user", {f"u{number}@x.org": number for number in range(9_000)})
    assert isinstance(masked, dict)
    assert list(masked.values()) == list(range(9_000))
    assert list(masked)[:2] == ["[email]", "[email] 2"]


def test_an_object_that_cannot_be_shown_becomes_its_type() -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("password=hunter2")

    assert REDACTOR.value("x", Broken()) == "[Broken]"
    assert REDACTOR.value("password", Broken()) == "[password]"
    assert REDACTOR.value("x", 10**5000) == 10**5000


def test_text_in_disguise_is_masked_as_text() -> None:
    class Colour(StrEnum):
        RED = "password=hunter2"

    assert REDACTOR.value("x", Colour.RED) == "password=[password]"


@given(_HOSTILE, _STRUCTURES)
def test_masking_structured_data_twice_changes_nothing(name: str, value: object) -> None:
    for redactor in (REDACTOR, REVERSIBLE):
        once = redactor.value(name, value)
        assert redactor.value(name, once) == once


# -- tokens, counts, memo, threads


def test_one_secret_has_one_token_wherever_it_is() -> None:
    tokens = FakeSecretTokens()
    redactor = Redactor(tokens=tokens)
    first, second = (
        redactor.text("from bob@example.com"),
        redactor.text("to bob@example.com, ann@example.com"),
    )
    token = first.removeprefix("from [email:").removesuffix("]")
    assert second.startswith(f"to [email:{token}], [email:")
    assert second.count(token) == 1
    assert tokens.secrets[token] == "bob@example.com"
    assert redactor.value("password", "bob@example.com") == f"[email:{token}]"


@pytest.mark.parametrize("token", ["", "hunter2", "0f1e2d3]", "0" * 33])
def test_a_token_that_is_none_leaves_a_plain_mask(token: str) -> None:
    class Odd:
        def token(self, kind: str, secret: str) -> str:
            return token

    assert Redactor(tokens=Odd()).text("password=hunter2") == "password=[password]"


def test_every_redaction_is_counted_also_those_from_memory() -> None:
    counters = Counters()
    redactor = Redactor({"employee": r"EMP-\d{6}"}, counters=counters)
    for _ in range(3):
        redactor.text("bob@example.com, ann@example.com, EMP-123456")
        redactor.text("nothing to see")
        redactor.value("password", "hunter2")
        redactor.value("api_key", MADE_KEYS["aws"])
    counted = {labels["kind"]: value for _, labels, value in counters.snapshot()}
    assert counted == {"email": 6, "employee": 3, "password": 3, "api_key": 3}
    assert {name for name, _, _ in counters.snapshot()} == {REDACTIONS}
    assert set(counted) <= {*KINDS, "employee"}


def test_the_memory_of_texts_and_names_is_bounded() -> None:
    redactor = Redactor()
    for number in range(2 * MEMO_STRINGS + 10):
        redactor.value(f"name{number}", f"text {number}")
        redactor.text(f"password={number}")
    redactor.text("x" * (MEMO_CHARACTERS + 1))
    held = [each for each in vars(redactor).values() if isinstance(each, set | dict) and each]
    assert len(held) == 3
    assert all(len(each) <= MEMO_STRINGS for each in held)
    assert all(len(text) <= MEMO_CHARACTERS for each in held for text in each)


def test_threads_get_the_same_answers_as_one_alone() -> None:
    redactor, wrong = Redactor(counters=(counters := Counters())), []

    def work(number: int) -> None:
        for turn in range(3_000):
            said = redactor.text(f"password={turn % 700} of {number % 2}")
            if said != f"password=[password] of {number % 2}" or redactor.text(f"t{turn}") != f"t{turn}":
                wrong.append(said)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert counters.get(REDACTIONS, kind="password") == 18_000
