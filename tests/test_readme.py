"""What README shows runs as it stands."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL))
def test_python_examples_run(code, capsys):
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out


@pytest.mark.parametrize("command", ["pip install . && eagerdl demo", 'pip install ".[test]" && pytest'])
def test_commands_stand_in_code_blocks(command):
    """.ci/run takes them from there."""
    assert f"```bash\n{command}\n```" in README


@pytest.mark.parametrize("path", re.findall(r"`([\w./-]+/[\w.-]+|[A-Z]+\.md)`", README))
def test_files_that_are_named_exist(path):
    assert (ROOT / path).exists()
