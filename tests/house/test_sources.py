"""Every module of the product keeps the rules of `tests.house.sources`, and each rule has teeth."""

from collections.abc import Callable, Iterator

import pytest

from tests.house.sources import Source, broad_handlers, environment, module_state, product, reserved, sizes

Rule = Callable[[Source], Iterator[str]]
RULES = (sizes, environment, reserved, broad_handlers, module_state)


@pytest.mark.parametrize("rule", RULES)
def test_the_product_keeps_the_rule(rule: Rule) -> None:
    problems = [problem for source in product() for problem in rule(source)]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (sizes, "x = 1\n" * 301),
        (sizes, "def long() -> None:\n" + "    print()\n" * 40),
        (sizes, '"""' + "word\n" * 13 + '"""\n'),
        (environment, "import os\nhome = os.environ['HOME']\n"),
        (environment, "from os import getenv\n"),
        (reserved, "import psycopg\n"),
        (reserved, "def late():\n    from psycopg.rows import dict_row\n"),
        (broad_handlers, "try:\n    pass\nexcept Exception:\n    pass\n"),
        (broad_handlers, "try:\n    pass\nexcept:\n    pass\n"),
        (broad_handlers, "try:\n    pass\nexcept (ValueError, BaseException):\n    print()\n"),
        (module_state, "seen = []\n"),
        (module_state, "seen: dict[str, int] = dict()\n"),
        (module_state, "SEEN = set()\ndef see(x):\n    SEEN.add(x)\n"),
        (module_state, "SEEN = {}\ndef see(x):\n    SEEN[x] = 1\n"),
        (module_state, "LOCK = threading.Lock()\n"),
        (module_state, "count = 0\ndef more():\n    global count\n    count += 1\n"),
    ],
)
def test_the_rule_sees_what_it_forbids(rule: Rule, text: str) -> None:
    assert list(rule(Source("registry/somewhere.py", text)))


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (sizes, "def documented() -> None:\n" + '    """' + "    word\n" * 10 + '    """\n' + "    print()\n" * 30),
        (reserved, "import json\nfrom . import psycopg\n"),
        (broad_handlers, "try:\n    pass\nexcept BaseException:\n    undo()\n    raise\n"),
        (module_state, "TABLE = {1: 2}\nlogger = logging.getLogger(__name__)\n__all__ = ['x']\n"),
        (module_state, "TABLE = {1: 2}\ndef look():\n    seen = []\n    seen.append(TABLE[1])\n"),
    ],
)
def test_the_rule_lets_pass_what_is_right(rule: Rule, text: str) -> None:
    assert not list(rule(Source("registry/somewhere.py", text)))
