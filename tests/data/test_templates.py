"""A template that asks for today's date is told that of the config, and nothing else changes."""

import datetime

import pytest
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from sage_jax.data import templates

ASKED = [{"role": "user", "content": "2 + 2?"}]
DAY = datetime.datetime(2021, 3, 4)
FORMS = [
    "%d %b %Y", "%Y-%m-%d", "%B %d, %Y", "%A", "%-d.%-m.%y", "%e %h", "%j", "%H:%M:%S", "%D %T %F",
    "%c", "%x %X %p", "no directive", "%U %W %G-W%V-%u",
]  # fmt: skip


@pytest.fixture
def write():
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()))

    def make(template, **options):
        tokenizer.chat_template = template
        return templates.write(tokenizer, ASKED, **options)

    return make


@pytest.mark.parametrize("form", FORMS)
def test_dates_are_those_of_the_config(write, form):
    template = "{{ strftime_now('" + form + "') }}"
    assert write(template, date="2021-03-04") == DAY.strftime(form)
    assert write(template) == datetime.datetime.fromisoformat(templates.DATE).strftime(form)


def test_as_templates_ask_for_it(write):
    asking = (
        "{%- if not date_string is defined %}{%- if strftime_now is defined %}"
        '{%- set date_string = strftime_now("%d %b %Y") %}{%- else %}'
        '{%- set date_string = "26 Jul 2024" %}{%- endif %}{%- endif %}'
        "{%- macro today() %}{{ strftime_now(format='%A') }}{%- endmacro %}"
        "{{ date_string }}{% for m in messages %}|{{ m.content }}|{{ today() }}{% endfor %}"
    )
    assert write(asking, date="2021-03-04") == "04 Mar 2021|2 + 2?|Thursday"


@pytest.mark.parametrize("start", ["", "\n", "  ", "\n\n  ", "  {% if true %}x{% endif %}\n", " y"])
def test_nothing_else_changes(write, start):
    rest = "{% if false %}{{ strftime_now('%Y') }}{% endif %}{{ messages[0].content }}\n!"
    plain = rest.replace("strftime_now", "some_other")
    assert write(start + rest) == write(start + plain)


def test_a_template_that_does_not_ask_is_left_alone(write):
    assert write("{{ messages[0].content }} in 2025") == "2 + 2? in 2025"
