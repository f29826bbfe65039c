"""python3 infra/checks/torture_catches.py: breaks what keeps acknowledged writes, one rule at a time, and expects that the
torture (infra/local/src/bin/torture) sees each of them. Not part of the gate: each break is a build and a run.

It works on a copy of the committed and changed files in target/torture, which it builds in a directory of its own, so that the
sources here are never touched. With the names of breaks as arguments only those are tried.
"""

import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
COPY = ROOT / "target" / "torture" / "broken"
BUILD = ROOT / "target" / "torture" / "build"

# Name: what is changed (the file, what stands there, what stands there then), the troubles that show it, what the torture must
# say (any of these).
BREAKS = {
    "nothing": ([], ["kill", "repeat"], []),
    "the order rule": (
        [(
            "shared/src/service/workspaces/update.rs",
            'doc! {"$lte": [last_write(client, key), sent_at.millis()]}.into()',
            'doc! {"$or": [true, {"$lte": [last_write(client, key), sent_at.millis()]}]}.into()',
        )],
        ["reorder", "delay"],
        ["wrote something newer than"],
    ),
    "the repeat check": (
        [(
            "shared/src/service/workspaces/update.rs",
            'filter.insert("recent.r", doc! {"$ne": sender.request.short()});',
            "let _ = sender.request;",
        )],
        ["kill", "hang-push"],
        ["was refused, and is there", "over an acknowledged write", "and then"],
    ),
    "the claim": (
        [(
            "shared/src/service/workspaces/claim.rs",
            'free.insert("video.status", doc! {"$ne": VideoStatus::Generating.as_str()});',
            'free.insert("video.status", doc! {"$ne": "nothing"});',
        )],
        ["repeat"],
        ["tasks at the vendor", "two generations at once"],
    ),
    "the generation id": (
        [
            (
                "shared/src/service/workspaces/generation.rs",
                '        "video.generation.id": generation.as_str(),\n    }\n}\n',
                '        "video.generation.id": {"$ne": format!("not {}", generation.as_str())},\n    }\n}\n',
            ),
            (
                "shared/src/edge/generations.rs",
                "newest.id == poll.generation_id",
                "!newest.id.as_str().is_empty()",
            ),
        ],
        ["clocks", "delay"],
        ["was ordered last"],
    ),
    "w: majority": (
        [(
            "shared/src/service/database.rs",
            "Some(WriteConcern::majority())",
            "Some(WriteConcern::nodes(1))",
        )],
        ["cut-off-primary"],
        ["is lost", "wrote something newer than", "over an acknowledged write", "nobody wrote", "creations that nobody answered"],
    ),
}


def run(*command, **options):
    return subprocess.run(command, text=True, **options)


def copy():
    """The files that git knows, as they are now. Those that didn't change keep their time, so that nothing is built for them."""
    listed = run("git", "ls-files", "-zco", "--exclude-standard", cwd=ROOT, capture_output=True, check=True).stdout
    for name in listed.strip("\0").split("\0"):
        source, target = ROOT / name, COPY / name
        if source.is_file() and not (target.is_file() and target.read_bytes() == source.read_bytes()):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    if (ROOT / ".local").is_dir() and not (COPY / ".local").exists():
        (COPY / ".local").symlink_to(ROOT / ".local")


def torture(troubles, minutes):
    """What the torture says, and whether it was content."""
    only = [argument for trouble in troubles for argument in ("--only", trouble)]
    command = ["cargo", "run", "--quiet", "--package", "local", "--bin", "torture", "--"]
    command += ["--minutes", minutes, "--seed", "4", *only]
    environment = {**os.environ, "CARGO_TARGET_DIR": str(BUILD), "CARGO_INCREMENTAL": "0"}
    done = run(*command, cwd=COPY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout, done.returncode == 0


def attempt(name):
    """Whether the torture judges this break as it should."""
    changes, troubles, expected = BREAKS[name]
    copy()
    for file, old, new in changes:
        path = COPY / file
        text = path.read_text()
        if text.count(old) != 1:
            print(f"{name}: {file} has changed, and this script must follow", flush=True)
            return False
        path.write_text(text.replace(old, new))
    said, is_content = torture(troubles, "1")
    violations = [line for line in said.splitlines() if line.startswith("VIOLATION")]
    if not changes:
        is_right = is_content and not violations
    else:
        is_right = not is_content and any(what in line for line in violations for what in expected)
    found = f"{len(violations)} violations" + (f", such as {violations[0][:160]}" if violations else "")
    print(f"{'ok' if is_right else 'NOT SEEN' if changes else 'WRONG'}  without {name}: {found}", flush=True)
    if not is_right:
        print("\n".join(said.splitlines()[-60:]), flush=True)
    return is_right


if __name__ == "__main__":
    names = sys.argv[1:] or list(BREAKS)
    sys.exit(0 if all([attempt(name) for name in names]) else 1)
