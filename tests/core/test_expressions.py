import json
from contextlib import suppress
from typing import Any

import jmespath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.errors import ExpressionError, NotApplicable
from gateway.core.expressions import (
    Expression,
    Scope,
    Template,
    compile_expression,
    compile_template,
    compile_value,
)
from gateway.core.functions import ARITIES, to_text

PAYLOAD: dict[str, Any] = {
    "action": "completed",
    "run": {"name": "", "id": 7, "branch": "main", "tags": ["a", "b"]},
    "zero": 0,
    "nothing": None,
    "yes": True,
    "nested": '{"a": [1, {"b": "ü"}]}',
    "items": [{"n": 1, "ok": True}, {"n": 2, "ok": False}],
}
HEADERS = {"x-github-event": "push"}
QUERY = {"env": "prod"}
SCOPE = Scope(PAYLOAD, HEADERS, QUERY)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "c", "items"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def evaluate(text: str, payload: Any = PAYLOAD) -> Any:
    return compile_expression(text).evaluate(payload, SCOPE)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("action", "completed"),
        ("run.branch", "main"),
        ("run.branch.deeper", None),
        ("absent.deeper", None),
        ("items.n", None),
        ("items[*].n", [1, 2]),
        ("items[0:1].n", [1]),
        ("run.[id, branch]", [7, "main"]),
        ("run.name || action", "completed"),
        ("zero || action", 0),
        ("nothing || action", "completed"),
        ("yes && action", "completed"),
        ("nothing && action", None),
        ("!nothing", True),
        ("!zero", False),
        ("!yes", False),
        ("action == 'completed'", True),
        ("action != 'completed'", False),
        ("'completed' == action", True),
        ("zero == `0`", True),
        ("zero == `false`", False),
        ("yes != `1`", True),
        ("run.id > `6`", True),
        ("`[1, 2]`", [1, 2]),
        ("header('X-GitHub-Event')", "push"),
        ("header('x-github-event')", "push"),
        ("header('absent')", None),
        ("header(join('-', ['x', 'github', 'event']))", "push"),
        ("query('env')", "prod"),
        ("query('absent')", None),
        ("run | root().action", "completed"),
        ("lower('ÄB')", "äb"),
        ("upper(action)", "COMPLETED"),
        ("matches(action, 'comp*')", True),
        ("matches(action, 'omp*')", False),
        ("matches(action, 'Comp*')", False),
        ("matches('a.b', 'a.?')", True),
        ("matches('aXb', 'a.b')", False),
        ("from_json(nested).a[1].b", "ü"),
        ("to_string(from_json(nested))", '{"a":[1,{"b":"ü"}]}'),
        ("to_string(action)", "completed"),
        ("to_string(nothing)", "null"),
        ("to_number('12')", 12),
        ("to_number('1.5')", 1.5),
        ("to_number(zero)", 0),
        ("to_number(yes)", None),
        ("to_number(run)", None),
        ("to_number('many')", None),
        ("to_number('nan')", None),
        ("to_number('inf')", None),
        ("length(root().items)", 2),
        ("sort_by(items, &n)[-1].n", 2),
        ("items[?ok].n | [0]", 1),
    ],
)
def test_values(text: str, value: Any) -> None:
    found = evaluate(text)

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("lower(nothing)", "lower() needs string, found null"),
        ("matches(run, 'x')", "matches() needs string, found an object"),
        ("length(zero)", "length() needs string or array or object, found a number"),
        ("lower(yes)", "lower() needs string, found true or false"),
        ("header(items)", "header() needs string, found a list"),
        ("header(`5`)", "header() needs string, found a number"),
        ("join(action, `[1]`)", "join() needs array-string, found a number"),
        ("abs(action)", "abs() needs number, found text"),
        ("from_json(action)", "Expecting value: line 1 column 1 (char 0)"),
        ("from_json('NaN')", "NaN is not JSON"),
        ("contains(action, zero)", "'in <string>' requires string as left operand, not int"),
        ("action > zero", "'>' not supported between instances of 'str' and 'int'"),
        ("ceil(`1e999`)", "cannot convert float infinity to integer"),
    ],
)
def test_what_cannot_be_applied(text: str, problem: str) -> None:
    with pytest.raises(NotApplicable) as raised:
        evaluate(text)

    assert raised.value.message == problem


def test_deep_payloads_are_not_applicable() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]

    with pytest.raises(NotApplicable, match="nested too deeply"):
        evaluate("to_string(@)", deep)


MANY = "|".join("a" * 60)


@pytest.mark.parametrize(
    ("text", "offset", "message", "hint"),
    [
        ("", 0, "the expression is empty", ""),
        ("  ", 2, "the expression ends too early", ""),
        ("a.", 2, "the expression ends too early", ""),
        ("a ==", 4, "the expression ends too early", ""),
        ("(a", 2, "the expression ends too early", ""),
        ("a..b", 2, "unexpected '.'", ""),
        ("a = 'b'", 2, "unknown token '='", "write == to compare"),
        ("a and b", 2, "unexpected 'and'", "write && for and"),
        ("a or b", 2, "unexpected 'or'", "write || for or"),
        ("not a", 4, "unexpected 'a'", ""),
        ("'a' in b", 4, "unexpected 'in'", "write contains(list, value)"),
        ("a == 5", 5, "unexpected '5'", "write a number between backticks: `5`"),
        ("a == 'b", 5, "unclosed ' delimiter", ""),
        ("a ; b", 2, "unknown token ;", ""),
        ("a == `{b`", 5, "`{b` is not JSON", "text is written 'so', backticks hold JSON"),
        ("a == `NaN`", 5, "`NaN` is not JSON", "text is written 'so', backticks hold JSON"),
        ("`" + "[" * 998, 0, "unclosed ` delimiter", ""),
        (
            'a == "b"',
            5,
            '"b" in double quotes is the name of a field',
            "write 'b' for text, @.\"b\" for the field",
        ),
        ("a == true", 5, "true without backticks is the name of a field", "write `true`"),
        ("a != null", 5, "null without backticks is the name of a field", "write `null`"),
        ("x && containz(a, 'x')", 5, "unknown function 'containz'", "did you mean 'contains'?"),
        ("contains(a)", 0, "contains() takes 2 arguments, 1 given", ""),
        ("a || lower(a, b)", 5, "lower() takes 1 argument, 2 given", ""),
        ("root(a)", 0, "root() takes 0 arguments, 1 given", ""),
        ("not_null()", 0, "not_null() takes at least 1 argument, 0 given", ""),
        ("contains(a 'b')", 11, "arguments are separated by one comma each", ""),
        ("contains(a, 'b',)", 16, "arguments are separated by one comma each", ""),
        (
            "sort_by(a, b)",
            0,
            "argument 2 of sort_by() must be a reference, such as &name",
            "",
        ),
        ("contains(a, &b)", 0, "argument 2 of contains() must be no & reference", ""),
        (
            "[a, &b]",
            4,
            "& makes sense only in the argument of a function",
            "write && for and",
        ),
        (
            "items[?n == root().n]",
            12,
            "root() cannot be used inside a projection, filter or & reference",
            "use for_each, or compare outside the brackets",
        ),
        (
            "items[*].root()",
            9,
            "root() cannot be used inside a projection, filter or & reference",
            "use for_each, or compare outside the brackets",
        ),
        (
            "map(&root(), items)",
            5,
            "root() cannot be used inside a projection, filter or & reference",
            "use for_each, or compare outside the brackets",
        ),
        (
            "a" * 1001,
            0,
            "the expression has 1001 characters, more than 1000",
            "split it over several rules",
        ),
        (
            "[" + ",".join("a" * 200) + "]",
            0,
            "the expression has more than 200 parts",
            "split it over several rules",
        ),
        (MANY, 0, "the expression is nested too deeply", ""),
        ("(" * 900 + "a" + ")" * 99, 0, "the expression is nested too deeply", ""),
        (
            "[@,@,@] | [@,@,@] | {a: @, b: @, c: @} | [@,@,@]",
            0,
            "the result could be 81 times the payload, more than 64",
            "use fewer multi-selects after one another",
        ),
        (
            "to_string([to_string([to_string([to_string([to_string([to_string([to_string(@)])])])])])])",
            0,
            "the result could be 128 times the payload, more than 64",
            "use fewer multi-selects after one another",
        ),
    ],
)
def test_bad_expressions_are_refused(text: str, offset: int, message: str, hint: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        compile_expression(text)

    assert (raised.value.offset, raised.value.message, raised.value.hint) == (offset, message, hint)


@pytest.mark.parametrize(
    "text",
    [
        'a == @."b"',
        'a == "b".c',
        'a."true" == `true`',
        "a == 'it\\'s `b`'",
        "{true: a}",
        "[@,@,@,@] | [@,@,@,@] | [@,@,@,@]",
        "items[?root] | root().items",
        "contains(header('a') || '', query('b') || '')",
        "sort_by(root().items, &n)",
    ],
)
def test_good_expressions_are_not_refused(text: str) -> None:
    assert compile_expression(text).text == text


def test_the_functions_are_jmespaths_and_ours() -> None:
    ours = {"header", "query", "root", "lower", "upper", "matches", "from_json"}

    assert set(ARITIES) == set(jmespath.functions.Functions.FUNCTION_TABLE) | ours


def test_named_headers_are_known() -> None:
    expression = compile_expression("header('X-One') == header('x-two') && a[0:1] && lower('b')")

    assert expression.headers == {"x-one", "x-two"}


@given(st.text(max_size=40) | st.text("ab.[]{}()|&!='`\"*@?,: 0", max_size=25))
@settings(max_examples=500)
def test_any_text_compiles_or_is_refused(text: str) -> None:
    with suppress(ExpressionError, NotApplicable):
        compile_expression(text).evaluate(PAYLOAD, SCOPE)


operands = st.sampled_from(
    ["a", "b", "a.b", "@", "'a'", "''", "`0`", "`1`", "`true`", "`[]`", "items[*].a", "c.a.b"]
)
expressions = st.recursive(
    operands,
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["&&", "||", "==", "!=", "|"]), inner)
        | st.builds("!{}".format, inner)
    ),
    max_leaves=6,
)


@given(expressions, json_values)
@settings(max_examples=500)
def test_results_are_those_of_jmespath(text: str, payload: Any) -> None:
    found = compile_expression(text).evaluate(payload, SCOPE)

    assert json.dumps(found) == json.dumps(jmespath.search(text, payload))


@pytest.mark.parametrize(
    ("text", "rendered", "complete"),
    [
        ("", "", ""),
        ("plain } text {", "plain } text {", "plain } text {"),
        ("{{ action }}", "completed", "completed"),
        ("{{action}}!", "completed!", "completed!"),
        ("{{ run.id }}/{{ yes }}/{{ zero }}", "7/true/0", "7/true/0"),
        ("{{ run.tags }} {{ run.name }}.", '["a","b"] .', '["a","b"] .'),
        ("a{{ nothing }}b", "ab", None),
        ("a{{ lower(nothing) }}b", "ab", None),
        ("{{ nothing || '' }}", "", ""),
        ("{{ {a: {b: run.id}}}}!", '{"a":{"b":7}}!', '{"a":{"b":7}}!'),
        ("{{ '}}' }} {{ '{{' }}", "}} {{", "}} {{"),
    ],
)
def test_templates(text: str, rendered: str, complete: str | None) -> None:
    template = compile_template(text)

    assert template.text == text
    assert template.render(PAYLOAD, SCOPE) == rendered
    assert template.render_complete(PAYLOAD, SCOPE) == complete
    assert template.evaluate(PAYLOAD, SCOPE) == complete


def test_deep_values_have_no_text() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]

    assert compile_template("a{{ @ }}").render(deep, SCOPE) == "a"


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("a {{ b", 2, "'{{' without '}}'"),
        ("a {{ b. }} c", 8, "the expression ends too early"),
        ("{{ a }} {{ containz(a) }}", 11, "unknown function 'containz'"),
        ("{{ contains(a }} {{ b }}", 14, "the expression ends too early"),
        ("{{}}", 2, "the expression is empty"),
        ("a" * 4001, 0, "the template has 4001 characters, more than 4000"),
    ],
)
def test_bad_templates_are_refused(text: str, offset: int, message: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        compile_template(text)

    assert (raised.value.offset, raised.value.message) == (offset, message)


@given(st.text("{}a' .`", max_size=30))
def test_any_text_is_a_template_or_refused(text: str) -> None:
    with suppress(ExpressionError):
        compile_template(text).render(PAYLOAD, SCOPE)


def test_a_value_is_an_expression_unless_it_has_braces() -> None:
    assert isinstance(compile_value("a.b"), Expression)
    assert isinstance(compile_value("{{ a }}.b"), Template)


def test_expressions_are_equal_by_their_text() -> None:
    assert compile_expression("a.b ") == compile_expression("a.b")
    assert compile_expression("a.b") != compile_expression("a.c")


@given(st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_as_text_is_its_json(value: float) -> None:
    assert to_text(value) == json.dumps(value)
