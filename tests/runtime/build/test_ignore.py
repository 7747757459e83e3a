"""`.dockerignore`: moby's own table of cases, and docker-py's port of its matcher where that port is right."""

import pytest
from docker.utils.build import PatternMatcher
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.build.ignore import parse
from runtime.errors import BadParameter

# moby/patternmatcher, TestMatches (pattern, path, whether it fits)
MOBY = [
    ("**", "file", True),
    ("**", "file", True),
    ("**/", "file", True),
    ("**", "dir/file", True),
    ("**/**", "dir/file", True),
    ("dir/**", "dir/file", True),
    ("dir/**", "dir/file", True),
    ("dir/**", "dir/dir2/file", True),
    ("**/dir", "dir", True),
    ("**/dir", "dir/file", True),
    ("**/dir2/*", "dir/dir2/file", True),
    ("**/dir2/*", "dir/dir2/dir2/file", True),
    ("**file", "file", True),
    ("**file", "dir/file", True),
    ("**/file", "dir/file", True),
    ("**/file", "dir/dir/file", True),
    ("**file", "dir/dir/file", True),
    ("**/file*", "dir/dir/file.txt", True),
    ("**/file*txt", "dir/dir/file.txt", True),
    ("**/file*.txt*", "dir/dir/file.txt", True),
    ("**/**/*.txt", "dir/dir/file.txt", True),
    ("**/**/*.txt2", "dir/dir/file.txt", False),
    ("**/*.txt", "file.txt", True),
    ("**/**/*.txt", "file.txt", True),
    ("a**/*.txt", "a/file.txt", True),
    ("a**/*.txt", "a/dir/file.txt", True),
    ("a**/*.txt", "a/dir/dir/file.txt", True),
    ("a/*.txt", "a/dir/file.txt", False),
    ("a/*.txt", "a/file.txt", True),
    ("a/*.txt**", "a/file.txt", True),
    ("a[b-d]e", "ae", False),
    ("a[b-d]e", "ace", True),
    ("a[b-d]e", "aae", False),
    ("a[^b-d]e", "aze", True),
    (".*", ".foo", True),
    (".*", "foo", False),
    ("abc.def", "abcdef", False),
    ("abc.def", "abc.def", True),
    ("abc.def", "abcZdef", False),
    ("abc?def", "abcZdef", True),
    ("abc?def", "abcdef", False),
    ("a\\\\", "a\\", True),
    ("**/foo/bar", "foo/bar", True),
    ("**/foo/bar", "dir/foo/bar", True),
    ("**/foo/bar", "dir/dir2/foo/bar", True),
    ("abc/**", "abc", False),
    ("abc/**", "abc/def", True),
    ("abc/**", "abc/def/ghi", True),
    ("**/.foo", ".foo", True),
    ("**/.foo", "bar.foo", False),
    ("a(b)c/def", "a(b)c/def", True),
    ("a(b)c/def", "a(b)c/xyz", False),
    ("a.|)$(}+{bc", "a.|)$(}+{bc", True),
    ("dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl",
     "dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl", True),
    ("dist/*.whl", "dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl", True),
    ("a\\*b", "a*b", True),
    ("a\\*b", "a\\b", False),
    ("[", "a", None),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "path", "fits"), MOBY)
def test_a_pattern_fits(pattern: str, path: str, fits: bool | None) -> None:
    if fits is None:
        with pytest.raises(BadParameter, match="is no pattern"):
            parse(pattern)
        return
    assert parse(pattern).leaves_out(path) is fits


@pytest.mark.parametrize(
    ("patterns", "path", "left_out"),
    [
        (["**", "!util/docker/web"], "util/docker/web/foo", False),
        (["**", "!util/docker/web", "util/docker/web/foo"], "util/docker/web/foo", True),
        (["**", "!dist/proxy.py-2.whl"], "dist/proxy.py-2.whl", False),
        (["**", "!dist/*.whl"], "dist/proxy.whl", False),
        (["*", "!x"], "x/y", False),
        (["!x", "x"], "x", True),
        (["a", "!a/b", "a/b/c"], "a/b/c", True),
        (["a", "!a/b", "a/b/c"], "a/b/d", False),
        (["."], "a", False),
        (["../a"], "a", False),
    ],
)
def test_the_last_pattern_that_fits_decides(patterns: list[str], path: str, left_out: bool) -> None:
    assert parse("\n".join(patterns)).leaves_out(path) is left_out


def test_a_lone_exclamation_mark_is_refused() -> None:
    with pytest.raises(BadParameter, match='illegal exclusion pattern: "!"'):
        parse("a\n!\n")


# docker-py looks at one directory above a path only, which is not enough for `**`: such patterns are left out here
NAMES = st.lists(st.sampled_from(["a", "b", "ab", "a.c", ".x", "a+b"]), min_size=1, max_size=4).map("/".join)
PATTERNS = st.lists(st.sampled_from(["a", "b", "*", "?", "a*", "*.c", ".x", "a+b"]), min_size=1, max_size=4).map(
    "/".join
)


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.booleans(), PATTERNS), min_size=1, max_size=4), NAMES)
def test_agrees_with_docker_py(patterns: list[tuple[bool, str]], path: str) -> None:
    written = [("!" if takes_back else "") + pattern for takes_back, pattern in patterns]
    assert parse("\n".join(written)).leaves_out(path) is PatternMatcher(written).matches(path)
