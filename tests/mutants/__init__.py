"""Do the tests fail where the code is wrong? `python -m tests.mutants` changes it in many small ways and looks."""
