"""Text of strangers in Markdown."""

from csist_bench.files.markdown import plain_markdown


def test_nothing_of_it_is_markup():
    assert plain_markdown("a|b\n# <b>_x_</b>") == r"a\|b \# \<b\>\_x\_\</b\>"
    assert plain_markdown("\x1b[31m") == r"\\x1b\[31m"
    assert plain_markdown("plain text 1.5") == "plain text 1.5"
