"""Makes the virtual environment of the outside judges, once for each list of requirements.

    prepare.py FOLDER

Safe to call from several processes at once. Prints nothing but errors.
"""

import fcntl
import pathlib
import shutil
import subprocess
import sys


def main(folder: pathlib.Path) -> None:
    requirements = pathlib.Path(__file__).with_name("requirements.txt")
    wanted = requirements.read_text()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / "requirements.txt"
        if done.exists() and done.read_text() == wanted:
            return
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        # The list is complete and pinned, so that nothing is left to resolve.
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", str(requirements)], check=True)
        done.write_text(wanted)


if __name__ == "__main__":
    try:
        main(pathlib.Path(sys.argv[1]).absolute())
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(error.cmd)}: exit status {error.returncode}")
