"""Every function under AWS's own Runtime Interface Emulator, which is what runs in the containers of `sam local`, with the environment that
`sam local` would give it and the events of infra/events. No container engine is needed: the emulator comes with the SAM CLI.

`infra/checks/emulator_test.py` builds the local stack, starts it exposed, and stops it again.
"""

import json
import os
import platform
import subprocess
import tempfile
import time
import tomllib
import unittest
import urllib.error
import urllib.request
from pathlib import Path

import samcli.local.rapid
from samcli.cli.types import CfnParameterOverridesType
from samcli.commands.local.lib.local_lambda import LocalLambdaRunner
from samcli.lib.providers.sam_function_provider import SamFunctionProvider
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider

ROOT = Path(__file__).resolve().parents[2]
EVENTS = ROOT / "infra/events"
# Not the default ones, on which a board may be running.
PORT, EMULATOR, RUNTIME = 3801, 3811, 3812
PATIENCE_SECONDS = 60
MACHINE = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
RIE = Path(next(iter(samcli.local.rapid.__path__))) / f"aws-lambda-rie-{MACHINE}"


def environments():
    """The variables of each function by the name of its binary, as SAM itself puts them together."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())["default"]["local_invoke"]["parameters"]
    overrides = CfnParameterOverridesType().convert(config["parameter_overrides"], None, None)
    stacks, _ = SamLocalStackProvider.get_stacks(str(ROOT / "template.yaml"), parameter_overrides=overrides)
    # A container calls this machine by another name; the ports are those of the default.
    text = (ROOT / config["env_vars"]).read_text().replace("host.docker.internal", "127.0.0.1")
    for service in (1, 2):
        text = text.replace(f":{3001 + service}", f":{PORT + service}")
    runner = LocalLambdaRunner(None, None, str(ROOT), str(ROOT), env_vars_values=json.loads(text))
    for function in SamFunctionProvider(stacks).get_all():
        yield function.metadata["BuildProperties"]["Binary"], runner._make_env_vars(function).resolve()


def ask(event):
    url = f"http://127.0.0.1:{EMULATOR}/2015-03-31/functions/function/invocations"
    for _ in range(PATIENCE_SECONDS * 10):
        try:
            with urllib.request.urlopen(url, event, timeout=PATIENCE_SECONDS) as answer:
                return json.loads(answer.read())
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError):
                raise
            time.sleep(0.1)
    raise TimeoutError("the emulator did not come up")


class EmulatorTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        subprocess.run(["cargo", "build", "--quiet", "--workspace"], cwd=ROOT, check=True)
        cls.data = cls.enterClassContext(tempfile.TemporaryDirectory())
        command = [ROOT / "target/debug/local", "--expose", "--port", str(PORT), "--data", cls.data]
        environment = {name: value for name, value in os.environ.items() if name != "MONGODB_URI"}
        cls.stack = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        cls.addClassCleanup(cls.stop)
        said = []
        for line in cls.stack.stdout:
            said.append(line)
            if line.startswith("ready"):
                break
        else:
            raise RuntimeError("the local stack did not start")
        assert any(line.startswith("EXPOSED") for line in said), "who exposes a database is told so"

    @classmethod
    def stop(cls):
        cls.stack.terminate()
        cls.stack.communicate(timeout=PATIENCE_SECONDS)

    def test_every_function_answers_its_event(self):
        answers = json.loads((EVENTS / "answers.json").read_text())
        given = dict(environments())
        self.assertEqual(given.keys(), answers.keys())
        self.assertEqual({path.stem for path in EVENTS.glob("*.json")} - {"answers"}, answers.keys())
        for name, expected in answers.items():
            with self.subTest(name):
                answer = self.run_once(name, given[name])
                if isinstance(expected, dict):
                    self.assertIsInstance(answer, dict, answer)
                    answer = {member: answer.get(member) for member in expected}
                self.assertEqual(answer, expected)

    def run_once(self, name, environment):
        keys = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local-secret"}
        emulator = subprocess.Popen(
            [RIE, "--runtime-interface-emulator-address", f"127.0.0.1:{EMULATOR}", "--runtime-api-address", f"127.0.0.1:{RUNTIME}",
             "--log-level", "error", ROOT / "target/debug" / name],
            env={**environment, **keys}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )
        try:
            return ask((EVENTS / f"{name}.json").read_bytes())
        finally:
            os.killpg(emulator.pid, 9)
            emulator.wait()


if __name__ == "__main__":
    unittest.main()
