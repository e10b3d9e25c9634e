"""Installation: the C++ package used by another program, and the wheel in an environment
of its own."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from project import ROOT, run

VERSION = re.search(
    r'kVersion\[\] = "(.+)"', (ROOT / "cpp/include/slm/version.h").read_text(encoding="utf-8")
)[1]
TEXT = "the cat sat on the mat. " * 400
MAX_WHEEL_BYTES = 14_000_000


@pytest.mark.slow
def test_cpp_program_uses_installed_package(cpp_build: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    run(["cmake", "--install", cpp_build, "--prefix", prefix, "--component", "cpp"])
    installed = {path.relative_to(prefix).parts[0] for path in prefix.rglob("*") if path.is_file()}
    assert installed <= {"include", "lib", "lib64"}
    headers = {path.name for path in (prefix / "include" / "slm").iterdir()}
    assert headers == {path.name for path in (ROOT / "cpp/include/slm").iterdir()}

    build = tmp_path / "build"
    source = ROOT / "examples" / "embed"
    run(["cmake", "-G", "Ninja", "-S", source, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}"])
    run(["cmake", "--build", build])
    output = run([build / "embed", tmp_path / "embed.safetensors"])
    assert re.match(r"0\.\d+ nats per byte", output), output
    assert [path.name for path in tmp_path.glob("embed*")] == ["embed.safetensors"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ["-DSLM_CUDA=ON", "-DCMAKE_CUDA_COMPILER=/bin/false"],
            "SLM_CUDA=ON",
        ),
        (["-DSLM_CUDA=maybe"], "SLM_CUDA=maybe"),
    ],
)
def test_cmake_refuses(tmp_path: Path, options: list[str], sentence: str) -> None:
    command = ["cmake", "-G", "Ninja", "-S", str(ROOT), "-B", str(tmp_path), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert sentence in " ".join(done.stderr.split())


@pytest.mark.slow
def test_configures_with_cmakes_default_generator(tmp_path: Path) -> None:
    """As in the README. Makefiles ask more of a project with CUDA than Ninja does."""
    run(["cmake", "-G", "Unix Makefiles", "-S", ROOT, "-B", tmp_path])
    assert (tmp_path / "Makefile").exists()
    cache = (tmp_path / "CMakeCache.txt").read_text(encoding="utf-8")
    assert "SLM_PYTHON" in cache
    assert not re.search(r"^_?(Python|pybind11)", cache, re.MULTILINE), "it looked for Python"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where SKBUILD_BUILD_DIR names a folder with a build, as in .ci/run, nothing is compiled."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    run([*pip, "-w", folder, ROOT])
    (path,) = folder.glob("*.whl")
    return path


@pytest.mark.slow
def test_wheel_holds_the_package_alone(wheel: Path) -> None:
    assert wheel.name.startswith(f"slm_core-{VERSION}-")
    assert wheel.stat().st_size < MAX_WHEEL_BYTES
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    strangers = [n for n in names if not n.startswith(("slm/", f"slm_core-{VERSION}.dist-info/"))]
    assert not strangers
    built = [name for name in names if name.endswith((".h", ".a", ".cpp", ".cmake", ".pyc"))]
    assert not built
    assert {"slm/__init__.py", "slm/__main__.py", "slm/py.typed", "slm/_core.pyi"} <= {*names}
    assert sum(name.startswith("slm/_core.") and name.endswith(".so") for name in names) == 1


@pytest.mark.slow
def test_wheel_works_in_a_clean_environment(wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    run([sys.executable, "-m", "venv", tmp_path / "venv"])
    bin_folder = tmp_path / "venv" / "bin"
    python = bin_folder / "python"
    run([python, "-m", "pip", "install", "--quiet", wheel])

    where = run([python, "-c", "import slm; print(slm.__file__, slm.__version__)"], cwd=tmp_path)
    assert where.startswith(str(tmp_path))
    assert where.split()[1] == VERSION
    slm = [python, "-m", "slm"]
    run([*slm, "train", "text.txt", "-o", "m.safetensors", "--steps", "20"], tmp_path)
    # The likeliest bytes, which are letters; drawn ones may be no UTF-8 so early.
    options = ["-m", "m.safetensors", "--prompt", "the cat", "--max-bytes", "20"]
    options += ["--temperature", "0"]
    text = run([*slm, "generate", *options], tmp_path)
    assert text.startswith("the cat")
    assert run([bin_folder / "slm", "generate", *options], tmp_path) == text
