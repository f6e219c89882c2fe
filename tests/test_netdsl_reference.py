"""What docs/netdsl-language.md says of the language is so: grammar, limits, errors, one text."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fabsight.netdsl import language, rendering
from fabsight.netdsl.language import parse, write
from fabsight.task import AnswerError

PAGE = (Path(__file__).parents[1] / "docs" / "netdsl-language.md").read_text()
END = "END"
# Errors of a text that follows the grammar: what a number must be beside being one.
OF_VALUES = r"from -?[0-9]+ to|above 0|other than 0|at most|coordinates go to|painting"


def rows(header: str) -> list[list[str]]:
    """The cells of the table that begins with a header line, ⏎ as line ends, without backticks."""
    table = PAGE.partition(header + "\n")[2].partition("\n\n")[0].splitlines()[1:]
    return [
        [cell.strip().strip("`").replace("⏎", "\n") for cell in row.strip("|").split("|")]
        for row in table
    ]


def grammar() -> re.Pattern[str]:
    """The grammar as a pattern over words that each end in a space; END stands for a line end."""
    (block,) = re.findall(r"```ebnf\n(.*?)```", PAGE, re.DOTALL)
    rules = dict(re.split(r"\s*::=\s*", line) for line in block.strip().splitlines())

    def pattern(rule: str) -> str:
        found = ""
        for symbol in re.findall(r'"[^"]*"|/(?:\\.|[^/])*/|\w+|[()|*+]', rule):
            if symbol == END:
                found += "(?:END )"
            elif symbol.isalpha():
                found += f"(?:{pattern(rules[symbol])})"
            elif symbol[0] == "/":
                found += f"(?:{symbol[1:-1]}) "
            elif symbol[0] == '"':
                found += re.escape(symbol[1:-1]) + " "
            else:
                found += "(?:" if symbol == "(" else symbol
        return found

    return re.compile(pattern(rules["program"]))


GRAMMAR = grammar()


def words_of(text: str) -> str:
    lines = [re.sub(r"([{}])", r" \1 ", line).split() for line in text.split("\n")]
    return "".join(f"{word} " for word in f" {END} ".join(" ".join(w) for w in lines if w).split())


numbers = st.sampled_from(
    ["0", "5", "+7.25", "-3", "64", "0.001", "4", "12", "1e3", "x", "9999999"]
)
whole = st.sampled_from(["1", "2", "3", "400", "0", "2.5", "-1"])


def line(*parts: st.SearchStrategy[str] | str) -> st.SearchStrategy[str]:
    strategies = [st.just(part) if isinstance(part, str) else part for part in parts]
    return st.tuples(*strategies).map(" ".join)


run = st.one_of(line(st.sampled_from("HV"), numbers), line("D", numbers, numbers))
wire = line("WIRE", *[numbers] * 7, st.lists(run, max_size=3).map(" ".join))
poly = line("POLY", st.lists(numbers, min_size=4, max_size=9).map(" ".join))
shape = st.one_of(wire, line("VIA", numbers, numbers, numbers), poly)
gap = st.sampled_from(["", " ", "\n", "\r\n", "\n\n"])
inside = st.lists(st.tuples(shape, gap).map("".join), max_size=3).map(" ".join)
array = line("ARRAY", whole, whole, numbers, numbers, "{", gap, inside, "}")
lines = st.lists(st.one_of(shape, array, st.sampled_from(["", "VIA 9 9", "}", "CANVAS 5 5"])))
programs = st.tuples(line("CANVAS", whole, whole), lines.map("\n".join)).map("\n".join)
loose = st.lists(st.sampled_from(["VIA 9 9 2", "5", "{", "}", "\n", "H", "ARRAY 2 2 5 5"]))


@given(st.one_of(programs, st.tuples(programs, loose.map(" ".join)).map("".join)))
@example("CANVAS 64 64 VIA 9 9 2")
@example("CANVAS 64 64\nARRAY 2 2 5 5\n{ VIA 9 9 2 }")
@example("CANVAS 64 64\nARRAY 2 2 5 5 {\nVIA 9 9 2 VIA 9 8 2\n\n}")
@example("\n\nCANVAS 64 64\n\nPOLY 1 1 2 2 3 3 4\n")
def test_the_grammar_is_what_is_read(text: str) -> None:
    try:
        parse(text)
        error = ""
    except AnswerError as caught:
        error = str(caught)
    if GRAMMAR.fullmatch(words_of(text)):
        assert error == "" or re.search(OF_VALUES, error)
    else:
        assert error != ""


def test_the_grammar_can_refuse() -> None:
    assert GRAMMAR.fullmatch(words_of("CANVAS 64 64\nVIA 9 9 2"))
    for text in ("", "VIA 9 9 2", "CANVAS 64 64\nVIA 9 9", "CANVAS 64 64\nARRAY 2 2 5 5 { }"):
        assert not GRAMMAR.fullmatch(words_of(text))


def test_the_limits_are_those_of_the_code() -> None:
    said = {what: most.partition(" ")[0].replace(",", "") for what, _, most in rows(LIMITS)}
    assert said == {
        "CANVAS` width and height, px": str(language.MAX_CANVAS_PX),
        "CANVAS` width x height, px": str(language.MAX_CANVAS_AREA_PX),
        "w_base`, `r": str(round(2 * language.MAX_COORDINATE_PX)),
        "l_s`, `w_s`, `l_e`, `w_e": str(round(2 * language.MAX_COORDINATE_PX)),
        "length of a run": str(round(2 * language.MAX_COORDINATE_PX)),
        "how far a command reaches from the origin, px": str(round(language.MAX_COORDINATE_PX)),
        "nx`, `ny": str(language.MAX_COMMANDS),
        "commands, arrays written out": str(language.MAX_COMMANDS),
        "runs of a wire, corners of a polygon, commands in braces": str(language.MAX_PARTS),
        "cost of painting all shapes, arrays written out, px": str(round(language.MAX_PAINTED_PX)),
        "characters of a text": str(language.MAX_TEXT_CHARACTERS),
    }


def test_the_cost_of_painting_is_as_described() -> None:
    box, corners = rendering.Box(0, 0, 100, 400), ((0.0, 0.0), (50.0, 20.0), (0.0, 20.0))
    assert rendering.painted_px(box, 256, 256) == 100 * 256 + 10_000
    polygon = rendering.painted_px(language.Poly(corners), 256, 256)
    assert polygon == 50 * 20 + 10_000 + 3 * (16 * 20 + 10_000)


LIMITS = "| what | from | to |"
ERRORS = rows("| text | error |")
CHOICES = rows("| choice | rule | on `CANVAS 64 64`, read | written |")


@pytest.mark.parametrize(("text", "error"), ERRORS)
def test_the_errors_are_those_of_the_page(text: str, error: str) -> None:
    with pytest.raises(AnswerError) as caught:
        parse(text)
    assert str(caught.value) == error


@pytest.mark.parametrize(("_choice", "_rule", "read", "written"), CHOICES)
def test_each_rule_of_the_canonical_form_has_an_example(_choice, _rule, read, written) -> None:
    text = write(parse(f"CANVAS 64 64\n{read}"))
    assert text == f"CANVAS 64 64\n{written}"
    assert write(parse(text)) == text


def test_the_page_has_its_tables() -> None:
    assert len(ERRORS) >= 10
    assert len(CHOICES) >= 15


def test_halves_are_rounded_to_the_even_hundredth() -> None:
    said = re.search(r"([\d.]+) is ([\d.]+), ([\d.]+) is\s+([\d.]+)\)", PAGE)
    assert said is not None
    for before, after in list(pairwise(said.groups()))[::2]:
        assert parse(f"CANVAS 9 9\nVIA {before} 1 1").commands[0].x == float(after)
