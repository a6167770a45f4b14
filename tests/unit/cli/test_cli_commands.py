"""The commands: exit codes, messages, help, and that nothing is overwritten."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from alliancekit.cli.main import run_app

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "COLUMNS": "100"}


def command(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-c", "from alliancekit.cli.main import entry; entry()", *words]
    return subprocess.run(call, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "analyses" / "deeper").mkdir(parents=True)
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def study(folder: Path, **columns: list[object]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(columns).to_csv(folder / "session.csv", index=False)
    return folder


# ----------------------------------------------------------------------------------------------------------- help


def test_help_names_every_command_and_exits_with_zero() -> None:
    done = command("--help")
    assert done.returncode == 0
    for word in ("run", "new", "check", "instruments", "verify", "doctor", "--debug"):
        assert word in done.stdout


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from alliancekit.cli.main import run_app; code = run_app(['--help']); "
        "heavy = {'numpy', 'pandas', 'scipy', 'statsmodels', 'matplotlib', 'rich'} & set(sys.modules); "
        "sys.exit(code or len(heavy))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("name", ["run", "new", "check", "instruments", "verify"])
def test_the_help_of_a_command_shows_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app([name, "--help"]) == 0
    assert f"\n    alliancekit {name}" in capsys.readouterr().out


def test_no_words_show_the_help_and_are_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app([]) != 0
    assert "Commands:" in "".join(capsys.readouterr())


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    import alliancekit

    assert run_app(["--version"]) == 0
    assert capsys.readouterr().out == f"alliancekit {alliancekit.__version__}\n"


def test_an_unknown_command_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(["rnu"]) == 2
    assert "No such command 'rnu'" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------------------ run


def test_all_scripts_run_from_any_folder_of_the_project(project: Path) -> None:
    for name in ("a", "b"):
        write(project / "analyses" / f"{name}.py", f"open('made_{name}.txt', 'w').close()\n")
    done = command("run", "--all", cwd=project / "analyses" / "deeper")
    assert done.returncode == 0, done.stderr
    assert (project / "made_a.txt").exists()
    assert (project / "made_b.txt").exists()
    assert "[2/2] b: done" in done.stderr


def test_a_failing_script_fails_the_run_and_the_others_still_run(project: Path) -> None:
    write(project / "analyses" / "a.py", "def f():\n    raise ValueError('first line\\nsecond line')\n\nf()\n")
    write(project / "analyses" / "b.py", "open('made_b.txt', 'w').close()\n")
    done = command("run", "--all", cwd=project)
    assert done.returncode == 1
    assert (project / "made_b.txt").exists()
    assert "[1/2] a: FAILED" in done.stderr
    assert "line 2, in f" in done.stderr
    assert "ValueError: first line\nsecond line" in done.stderr
    assert "1 of 2 failed: a" in done.stderr
    assert "line 4" not in done.stderr
    assert "line 4" in command("run", "--all", "--debug", cwd=project).stderr


def test_a_message_of_ours_needs_no_traceback_of_the_package(project: Path) -> None:
    script = write(project / "analyses" / "a.py", "import alliancekit as ak\nak.read_study('data/none')\n")
    done = command("run", str(script), cwd=project)
    assert done.returncode == 1
    assert 'a.py", line 2' in done.stderr
    assert "ReadError: there is no file or folder" in done.stderr
    assert "study/read.py" not in done.stderr


def test_what_a_single_script_prints_is_shown(project: Path) -> None:
    script = write(project / "analyses" / "a.py", "import os\nprint('b =', 2, os.getcwd())\n")
    done = command("run", str(script), cwd=project / "analyses")
    assert done.returncode == 0
    assert done.stdout.strip() == f"b = 2 {project.resolve()}"


def test_every_analysis_has_one_blas_thread(project: Path) -> None:
    text = "import os\nassert os.environ['OMP_NUM_THREADS'] == os.environ['OPENBLAS_NUM_THREADS'] == '1'\n"
    assert command("run", str(write(project / "analyses" / "a.py", text))).returncode == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run"], "name one or more scripts, or use --all"),
        (["run", "--all", "analyses/a.py"], "name one or more scripts, or use --all"),
        (["run", "--all"], "analyses/ holds no script"),
        (["run", "analyses/grwth.py"], "there is no script analyses/grwth.py"),
    ],
)
def test_run_says_what_is_wrong(
    project: Path, words: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    assert run_app(words) == 1
    assert told in capsys.readouterr().err


def test_run_names_the_nearest_script(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project / "analyses" / "growth.py", "")
    monkeypatch.chdir(project)
    assert run_app(["run", "analyses/grwth.py"]) == 1
    assert "Did you mean analyses/growth.py?" in capsys.readouterr().err


def test_outside_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_app(["run", "--all"]) == 1
    assert "there is no analyses/ here or above" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------------------ new


@pytest.mark.parametrize("template", ["growth", "incremental"])
def test_new_writes_a_script_of_public_names_and_never_over_another(
    tmp_path: Path, template: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import ast

    import alliancekit as ak

    target = tmp_path / "my_study.py"
    assert run_app(["new", template, str(target)]) == 0
    assert f"alliancekit run {target}" in capsys.readouterr().out
    text = target.read_text(encoding="utf-8")
    names = {
        node.attr
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ak"
    }
    assert names <= set(ak.__all__)
    assert 'report.write("reports/my_study")' in text
    target.write_text("mine", encoding="utf-8")
    assert run_app(["new", template, str(target)]) == 1
    assert target.read_text(encoding="utf-8") == "mine"
    assert "my_study.py exists" in capsys.readouterr().err


def test_new_knows_its_templates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(["new", "grwth", str(tmp_path / "x.py")]) == 1
    assert "Did you mean template='growth'?" in capsys.readouterr().err
    assert not (tmp_path / "x.py").exists()


# ---------------------------------------------------------------------------------------------------------- check


def test_check_passes_sound_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = study(tmp_path / "sound", patient=[1, 1, 2, 2], session=[1, 2, 1, 2], bdi=[20, 18, 30, 27])
    assert run_app(["check", str(folder)]) == 0
    assert "session: 4 rows, 3 columns" in capsys.readouterr().out


def test_check_fails_with_the_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = study(tmp_path / "bad", patient=[1, 1, 2, 2], session=[1, 2, 1, 2], bdi=[20, 180, 30, 27])
    about = '{"tables": {"session": {"file": "session.csv", "columns": {"patient": {"role": "patient"}, '
    about += '"session": {"role": "session"}, "bdi": {"range": [0, 63]}}}}}'
    write(folder / "codebook.json", about)
    assert run_app(["check", str(folder)]) == 1
    out = capsys.readouterr().out
    assert "error" in out
    assert "180" in out


def test_check_drafts_a_codebook_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = study(tmp_path / "new", patient=[1, 1, 2, 2], session=[1, 2, 1, 2], bdi=[20, 18, 30, 27])
    assert run_app(["check", str(folder), "--init"]) == 0
    drafted = (folder / "codebook.json").read_text(encoding="utf-8")
    assert '"role": "patient"' in drafted
    assert run_app(["check", str(folder)]) == 0
    assert run_app(["check", str(folder), "--init"]) == 1
    assert "there is a codebook.json already" in capsys.readouterr().err
    assert (folder / "codebook.json").read_text(encoding="utf-8") == drafted


def test_an_error_is_one_message_and_debug_shows_where(tmp_path: Path) -> None:
    plain = command("check", "nowhere", cwd=tmp_path)
    assert plain.returncode == 1
    assert plain.stderr.startswith("ReadError: there is no file or folder 'nowhere'")
    assert "Traceback" not in plain.stderr
    for words in (["check", "nowhere", "--debug"], ["--debug", "check", "nowhere"]):
        full = command(*words, cwd=tmp_path)
        assert full.returncode == 1
        assert "Traceback" in full.stderr


# ------------------------------------------------------------------------------------------ instruments and doctor


def test_instruments_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(["instruments"]) == 0
    assert "WAI-SR" in capsys.readouterr().out
    assert run_app(["instruments", "WAI-SR"]) == 0
    out = capsys.readouterr().out
    assert "items of task: 1, 2, 10, 12" in out
    assert "key status: verified" in out
    assert "max: 5\n" in out
    assert run_app(["instruments", "WAI-RS"]) == 1
    assert "WAI-SR" in capsys.readouterr().err


def test_doctor_is_content_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert run_app(["doctor"]) == 0
    out = capsys.readouterr().out
    for word in ("Python 3", "numpy", "BLAS", "threads: 1", "DejaVu Sans, is there", "can be written to"):
        assert word in out
    assert list(tmp_path.iterdir()) == []


def test_doctor_says_what_to_install(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from alliancekit.cli import diagnosis

    monkeypatch.setattr(diagnosis, "NEEDED", ("numpy", "a-package-that-is-not-there"))
    assert run_app(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "pip install a-package-that-is-not-there" in out
    assert "1 problem(s) to mend." in out


# --------------------------------------------------------------------------------------------------------- verify


def test_verify_needs_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(["verify", str(tmp_path / "none")]) == 1
    assert "there is no folder" in capsys.readouterr().err
    assert run_app(["verify", str(tmp_path)]) == 1
    assert "holds no report" in capsys.readouterr().err


def test_the_module_runs_as_the_command_does() -> None:
    done = subprocess.run([sys.executable, "-m", "alliancekit", "--help"], capture_output=True, text=True, check=True)
    assert "Usage" in done.stdout
