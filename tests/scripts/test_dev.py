#!/usr/bin/python3
"""./dev and ./dev setup, with stand-ins for dpkg, apt and sudo."""

import os
import shutil
import subprocess
import tempfile
import time
import unittest

import cases

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))

# Packages are lines in $STATE/installed. apt-get installs what it is told unless it is listed in $STATE/refused.
DPKG_QUERY = """#!/bin/bash
shift 3
code=0
for package in "$@"; do
  if grep -qx "$package" "$STATE/installed"; then printf '%s:installed ' "$package"; else code=1; fi
done
exit $code
"""
APT_GET = """#!/bin/bash
echo "apt-get $*" >>"$STATE/log"
[[ " $* " == *" update "* ]] && { rm -f "$STATE/refused"; exit 0; }
for word in "$@"; do
  case $word in -* | install | DPkg*) continue ;; esac
  if [ -e "$STATE/refused" ]; then echo "404 $word"; exit 100; fi
  echo "$word" >>"$STATE/installed"
done
"""
SUDO = """#!/bin/bash
echo "sudo $1" >>"$STATE/log"
exec "$@"
"""
ID = """#!/bin/bash
if [ "$1" = -u ] && [ -e "$STATE/uid" ]; then cat "$STATE/uid"; else exec /usr/bin/id "$@"; fi
"""


def packages(*groups):
    """The names in scripts/packages.txt that have one of the groups."""
    with open(os.path.join(ROOT, "scripts", "packages.txt"), encoding="utf-8") as table:
        rows = [line.split(None, 2) for line in table if line.strip() and not line.startswith("#")]
    return {row[1] for row in rows if set(row[0].split(",")) & set(groups)}


class Setup(unittest.TestCase):
    def setUp(self):
        self.state = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.state)
        for name, text in (("dpkg-query", DPKG_QUERY), ("apt-get", APT_GET), ("sudo", SUDO), ("id", ID)):
            self.put("bin/" + name, text)
            os.chmod(os.path.join(self.state, "bin", name), 0o755)
        self.put("installed", "")
        self.put("log", "")
        self.put("uid", "0\n")

    def put(self, name, text):
        os.makedirs(os.path.dirname(os.path.join(self.state, name)), exist_ok=True)
        with open(os.path.join(self.state, name), "w", encoding="utf-8") as file:
            file.write(text)

    def get(self, name):
        with open(os.path.join(self.state, name), encoding="utf-8") as file:
            return file.read()

    def run_it(self, *arguments, command="scripts/setup"):
        environment = {**os.environ, "STATE": self.state, "PATH": os.path.join(self.state, "bin") + ":" + os.environ["PATH"]}
        done = subprocess.run([os.path.join(ROOT, command), *arguments], env=environment, cwd=self.state,
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def test_with_everything_there_it_is_silent_and_quick(self):
        self.put("installed", "\n".join(packages("build", "demo", "test", "slow", "coverage", "profile", "lint", "fuzz")) + "\n")
        start = time.monotonic()
        self.assertEqual(self.run_it(), (0, "", ""))
        self.assertLess(time.monotonic() - start, 1)
        self.assertEqual(self.get("log"), "")

    def test_check_lists_what_is_missing_and_what_for_and_installs_nothing(self):
        self.put("installed", "\n".join(packages("build") - {"ccache", "libgrpc-dev"}) + "\n")
        code, output, _ = self.run_it("--check", "build")
        self.assertEqual(code, 1)
        self.assertRegex(output, r"missing packages: 2\n  ccache +makes building again fast\n  libgrpc-dev +RPC\n")
        self.assertEqual(self.get("log"), "")

    def test_only_the_groups_that_were_asked_for_are_installed(self):
        code, output, errors = self.run_it("build")
        self.assertEqual((code, errors), (0, ""), output)
        self.assertEqual(set(self.get("installed").split()), packages("build"))
        self.assertIn("--no-install-recommends", self.get("log"))
        self.assertIn("DPkg::Lock::Timeout=300", self.get("log"))
        self.assertEqual(self.run_it("build"), (0, "", ""))

    def test_without_a_group_all_are(self):
        self.assertEqual(self.run_it()[0], 0)
        self.assertEqual(set(self.get("installed").split()), packages("build", "demo", "test", "slow", "coverage", "profile", "lint", "fuzz"))

    def test_a_stale_list_of_packages_is_renewed_once(self):
        self.put("refused", "")
        self.assertEqual(self.run_it("build")[0], 0)
        self.assertIn(" update", self.get("log"))
        self.assertEqual(set(self.get("installed").split()), packages("build"))

    def test_without_root_it_asks_sudo(self):
        self.put("uid", "1000\n")
        self.assertEqual(self.run_it("fuzz")[0], 0)
        self.assertIn("sudo env", self.get("log"))
        self.assertNotIn("sudo", self.run_it("fuzz")[1])

    def test_an_unknown_group_is_refused(self):
        self.assertEqual(self.run_it("nonsense")[0], 2)

    def test_dev_installs_what_its_command_needs_before_it(self):
        self.assertEqual(self.run_it("requirements", command="dev")[0], 0)
        self.assertEqual(set(self.get("installed").split()), packages("build"))


    def test_every_group_that_a_command_names_has_packages(self):
        with open(os.path.join(ROOT, "dev"), encoding="utf-8") as script:
            rows = [line.split("|") for line in script if line.count("|") == 4]
        groups = {group for row in rows[1:] for group in row[1].strip().split(",")} - {""}
        self.assertTrue({"build", "test", "lint", "fuzz"} <= groups)
        for group in groups:
            self.assertTrue(packages(group), group)


NINJA = """#!/bin/bash
echo "[1/2] one"
read -r _ <"$STATE/go"
echo "[2/2] two"
echo "a warning"
"""


class Build(unittest.TestCase):
    def test_without_a_terminal_progress_is_seen_while_it_builds(self):
        state = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, state)
        os.makedirs(state + "/bin")
        os.makedirs(state + "/tree/build/dev")
        shutil.copytree(os.path.join(ROOT, "scripts"), state + "/tree/scripts")
        shutil.copy(os.path.join(ROOT, "CMakePresets.json"), state + "/tree")
        os.mkfifo(state + "/go")
        for name, text in (("ninja", NINJA), ("cmake", "#!/bin/sh\n")):
            with open(f"{state}/bin/{name}", "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(f"{state}/bin/{name}", 0o755)
        build = subprocess.Popen([state + "/tree/scripts/build", "dev"], stdout=subprocess.PIPE, text=True,
                                 env={**os.environ, "STATE": state, "PATH": f"{state}/bin:{os.environ['PATH']}"})
        self.assertEqual(build.stdout.readline(), "== configuring build/dev\n")
        self.assertEqual(build.stdout.readline(), "build/dev [1/2]\n")
        with open(state + "/go", "w", encoding="utf-8") as go:  # it waits for this: the line came before its end
            go.write("\n")
        self.assertEqual(build.communicate(timeout=60)[0], "a warning\n")
        self.assertEqual(build.returncode, 0)


class Dev(unittest.TestCase):
    def run_it(self, *arguments, cwd=ROOT):
        done = subprocess.run([os.path.join(ROOT, "dev"), *arguments], cwd=cwd, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def commands(self):
        code, output, _ = self.run_it("help", cwd="/")
        self.assertEqual(code, 0)
        return {line.split()[0]: line for line in output.splitlines() if line.startswith("  ")}

    def test_help_lists_every_command(self):
        expected = {"setup", "build", "demo", "run", "test", "bench", "storm", "day", "crash", "simulate", "failover", "mutate",
                    "coverage", "fuzz", "lint", "fmt", "requirements", "clean", "completion"}
        self.assertEqual(set(self.commands()), expected)
        self.assertEqual(self.run_it()[1], self.run_it("help")[1])

    def test_every_command_explains_itself_or_says_that_it_is_not_there_yet(self):
        for name, line in self.commands().items():
            code, output, errors = self.run_it(name, "--help")
            with self.subTest(name):
                if "not in this tree yet" in line:
                    self.assertEqual((code, output), (3, ""))
                    self.assertIn("is not in this tree yet", errors)
                else:
                    self.assertEqual((code, errors), (0, ""))
                    self.assertIn("usage: ", output)

    def test_help_of_a_command_is_its_own(self):
        self.assertEqual(self.run_it("help", "demo"), self.run_it("demo", "--help"))
        self.assertEqual(self.run_it("help", "nonsense")[0], 2)
        self.assertEqual(self.run_it("requirements", "--help")[1].count("usage:"), 1)

    def test_an_option_that_a_command_does_not_have_is_refused_before_anything_is_built(self):
        for words in (("demo", "--kepp"), ("crash", "--power"), ("build", "--target=x"), ("lint", "-x")):
            code, output, errors = self.run_it(*words)
            self.assertEqual((code, output), (2, ""), words)
            self.assertEqual(errors, f"dev: {words[0]} has no option {words[1].partition('=')[0]}; "
                             f"./dev {words[0]} --help lists them\n")

    def test_a_number_that_is_none_is_refused_in_words(self):
        for words in (("--seconds",), ("--seconds", "x"), ("--seconds", "0")):
            done = subprocess.run([os.path.join(ROOT, "scripts", "fuzz"), *words], capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (2, "fuzz: --seconds needs a whole number above 0\n"))

    def test_every_program_that_a_command_needs_is_a_target(self):
        with open(os.path.join(ROOT, "dev"), encoding="utf-8") as script:
            rows = [line.split("|") for line in script if line.count("|") == 4]
        for row in rows[1:]:
            preset, *targets = row[2].split() or [None]
            with self.subTest(row[0]):
                self.assertEqual(bool(targets), preset is not None)
                if "demo.sh" in row[3]:
                    self.assertEqual(set(targets), {"txcenterd", "txctl", "txsim", "txcheck"})

    def test_an_unknown_command_is_refused(self):
        self.assertEqual(self.run_it("nonsense")[0], 2)
        self.assertEqual(self.run_it(".*")[0], 2)

    def complete(self, *words):
        script = ('source <(./dev completion bash); COMP_WORDS=(./dev "$@"); COMP_CWORD=$#; _txc_dev; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "-c", script, "-", *words], cwd=ROOT, capture_output=True, text=True, check=True)
        return set(done.stdout.split())

    def test_completion_knows_commands_presets_tests_and_options(self):
        self.assertEqual(self.complete("f"), {"failover", "fuzz", "fmt"})
        self.assertEqual(self.complete("build", "d"), {"dev"})
        self.assertEqual(self.complete("test", "base.mon"), {"base.money", "base.money_allocate"})
        self.assertEqual(self.complete("test", "--a"), {"--all"})
        self.assertEqual(self.complete("lint", "--"), {"--all", "--help"})
        self.assertEqual(self.complete("demo", "--"), {"--keep", "--brief", "--help"})
        self.assertEqual(self.complete("run", "--"), {"--data", "--port", "--sim-port", "--auto-pay", "--config", "--help"})
        self.assertLessEqual({"--seconds", "--requests"}, self.complete("fuzz", "--"))
        self.assertEqual(self.complete("help", "de"), {"demo"})
        self.assertEqual(self.complete("setup", ""), {"--check", "--help", "build", "coverage", "demo", "fuzz", "lint", "profile", "slow", "test"})


if __name__ == "__main__":
    cases.run()
