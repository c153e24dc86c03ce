"""Text in LaTeX."""

from csist_bench.files.latex import latex_text


def test_signs_of_latex_are_set_as_they_stand():
    assert latex_text("A_b & 5 % #1 {x}") == r"A\_b \& 5 \% \#1 \{x\}"
    assert latex_text(r"\~^<>$") == r"\textbackslash{}\textasciitilde{}\textasciicircum{}\textless{}\textgreater{}\$"
    assert latex_text("Méthode 2") == "Méthode 2"
