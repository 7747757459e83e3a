"""Go's templates as `--format` reads them: values, pipelines, blocks, and the sentences of what cannot be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from runtime.cli.template_functions import Method, ParseError, TemplateError
from runtime.cli.templates import Template

CONTAINER = {
    "Id": "abcdef0123456789",
    "Name": "/web",
    "State": {"Running": True, "Paused": False, "ExitCode": 0},
    "Config": {"Labels": {"a": "b", "c": "d"}, "Cmd": ["sleep", "10"], "ExposedPorts": {"80/tcp": {}}, "Env": None},
    "Mounts": [{"Type": "volume", "Name": "v"}, {"Type": "bind", "Name": ""}],
    "Memory": 12.5,
}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("plain", "plain"),
        ("{{.Name}}", "/web"),
        ("{{ .State.Running }}/{{.State.ExitCode}}", "true/0"),
        ("{{.Config.Cmd}}", "[sleep 10]"),
        ("{{.Config.Labels}}", "map[a:b c:d]"),
        ("{{.Config.ExposedPorts}}", "map[80/tcp:{}]"),
        ("{{.Config.Env}}", "<no value>"),
        ("{{.Memory}}", "12.5"),
        ("{{json .Config.Labels}}", '{"a":"b","c":"d"}'),
        ("{{.Name | upper}}", "/WEB"),
        ('{{join .Config.Cmd ","}}', "sleep,10"),
        ('{{index .Config.Labels "a"}}{{index .Config.Labels "zz"}}', "b<no value>"),
        ("{{(index .Mounts 0).Name}}", "v"),
        ("{{len .Mounts}}", "2"),
        ("{{slice .Id 0 5}}", "abcde"),
        ('{{printf "%s-%03d %q %%" .Name 7 "x"}}', '/web-007 "x" %'),
        ('{{printf "%s"}}', "%!s(MISSING)"),
        ('{{println "a" 1}}', "a 1\n"),
        ('{{"a\\tb"}}{{`raw\\n`}}', "a\tbraw\\n"),
        ("{{if .State.Running}}up{{else}}down{{end}}", "up"),
        ("{{if .State.Paused}}a{{else if .State.Running}}b{{else}}c{{end}}", "b"),
        ("{{if and .State.Running (not .State.Paused)}}yes{{end}}", "yes"),
        ('{{if eq .Name "/web" "/x"}}same{{end}}{{if ne .Name "y"}}other{{end}}', "sameother"),
        ("{{range .Mounts}}{{.Type}};{{end}}", "volume;bind;"),
        ("{{range $i, $m := .Mounts}}{{$i}}={{$m.Type}} {{end}}", "0=volume 1=bind "),
        ("{{range $k, $v := .Config.Labels}}{{$k}}->{{$v}} {{end}}", "a->b c->d "),
        ("{{range .Config.Env}}x{{else}}none{{end}}", "none"),
        ("{{with .Config}}{{index .Cmd 0}}{{end}}", "sleep"),
        ("{{with .Config.Env}}x{{else}}{{.Name}}{{end}}", "/web"),
        ("{{$n := .Name}}{{with .State}}{{$n}}{{$.Id}}{{end}}", "/webabcdef0123456789"),
        ("a  {{- .Name -}}  b", "a/webb"),
        ("{{/* a comment */}}x", "x"),
        ('{{pad .Name 1 2}}{{truncate .Id 3}}{{title "ab"}}{{lower "AB"}}', " /web  abcAbab"),
        ('{{or "" "b"}}{{and 1 0}}', "b0"),
        ('{{split "a,b" ","}}', "[a b]"),
        ("{{lt 1 2}}{{ge 1 2}}", "truefalse"),
    ],
)
def test_a_template_gives_what_go_gives(source: str, text: str) -> None:
    assert Template(source).render(CONTAINER) == text


@pytest.mark.parametrize(
    "source",
    [
        "{{",
        "{{.Name",
        "{{nope .Name}}",
        "{{if .Name}}x",
        "{{end}}",
        "{{$x}}",
        "{{.Name | }}",
        "{{(.Name}}",
        "{{define}}",
    ],
)
def test_what_is_no_template_is_refused(source: str) -> None:
    with pytest.raises(ParseError):
        Template(source).render(CONTAINER)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("{{.Nope}}", 'map has no entry for key "Nope"'),
        ("{{.Name.More}}", "can't evaluate field More"),
        ("{{index .Mounts 9}}", "index out of range"),
        ("{{range .Name}}{{end}}", "range can't iterate over"),
        ("{{.Name 1}}", "can't give argument to non-function"),
        ('{{printf "%d" "x"}}', "error calling printf"),
    ],
)
def test_what_does_not_fit_the_value_is_told(source: str, sentence: str) -> None:
    with pytest.raises(TemplateError, match=None) as told:
        Template(source).render(CONTAINER)
    assert sentence in str(told.value)


def test_a_row_may_have_fields_that_take_arguments_and_json_leaves_them_out() -> None:
    row = {"Name": "x", "Label": Method(lambda name: f"<{name}>")}
    assert Template('{{.Label "a"}}').render(row) == "<a>"
    assert Template("{{json .}}").render(row) == '{"Name":"x"}'


@given(some.text())
def test_any_text_is_a_template_or_is_refused(source: str) -> None:
    try:
        Template(source).render(CONTAINER)
    except TemplateError:
        return
