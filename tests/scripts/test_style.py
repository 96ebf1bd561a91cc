#!/usr/bin/python3
"""Each rule of scripts/style fails on a planted violation, and passes on what is right."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

import cases

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
style = cases.load(os.path.join(ROOT, "scripts", "style"))
HEADER = "#ifndef TXC_{0}_H\n#define TXC_{0}_H\n\n{1}\n#endif\n"


def function(lines):
    """A function of that many lines."""
    return "int f(void) {\n" + "    g();\n" * (lines - 3) + "    return 0;\n}\n"


class Planted(unittest.TestCase):
    """A small tree of our shape in a folder of its own, to plant things in."""

    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        for table in ("rooms.txt", "banned.txt"):
            self.write("scripts/" + table, open(os.path.join(ROOT, "scripts", table), encoding="utf-8").read())
        self.write("base/str.h", HEADER.format("BASE_STR", "struct str;\n"))
        self.write("base/README.md", "# base\n")

    def write(self, path, text):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8", newline="") as file:
            file.write(text)

    def check(self):
        """The output over the planted tree, empty when nothing is wrong."""
        report = style.check(self.root, list(style.files_of(self.root)))
        return "".join(f"{path}:{line}: {message}\n" for path, line, message in report.lines)

    def passes(self, path, text):
        self.write(path, text)
        self.assertEqual(self.check(), "")

    def fails(self, path, text, message, line=1):
        self.write(path, text)
        output = self.check()
        self.assertRegex(output, f"^{path}:{line}: .*{re.escape(message)}.*\n$")
        os.remove(os.path.join(self.root, path))


class Pages(Planted):
    def setUp(self):
        super().setUp()
        self.write("base/a.c", "static int twice(int x) {\n    return two() * x;\n}\n")
        self.write("saga/README.md", "# saga\n")

    def test_what_is_there_may_be_named(self):
        self.passes("base/README.md", "`a.c`, `base/a.c: twice()`, `a.c: twice()`, `twice()`, `str.h`\n[up](../saga/README.md)\n")
        self.passes("saga/README.md", "`base/a.c: twice()`, `a.c: twice()`, `fuzz_<what>.c`, `a b.c`\n")

    def test_a_file_that_is_not_there_fails(self):
        self.fails("docs/X.md", "\nsee `base/b.c`\n", "no file base/b.c", 2)
        self.fails("docs/X.md", "see `b.c: twice()`\n", "no file b.c")
        self.fails("docs/X.md", "see [it](../base/GONE.md)\n", "there is no ../base/GONE.md")

    def test_a_function_that_is_not_where_it_should_be_fails(self):
        self.fails("docs/X.md", "`base/a.c: thrice()`\n", "base/a.c has no function thrice()")
        self.fails("docs/X.md", "`a.c: two()`\n", "a.c has no function two()")  # only called there
        self.fails("docs/X.md", "`thrice()`\n", "there is no function thrice()")


class Style(Planted):
    def test_the_clean_tree_passes(self):
        self.passes("base/ok.c", '#include "base/str.h"\n\n#include <stdio.h>\n\n' + function(70))

    def test_a_file_of_more_than_800_lines_fails(self):
        self.passes("base/ok.c", "int x;\n" * 800)
        self.fails("base/long.c", "int x;\n" * 801, "801 lines", 801)

    def test_a_function_of_more_than_70_lines_fails(self):
        self.fails("base/a.c", function(71), "f has 71 lines")
        self.fails("base/b.c", "int x[] = {1};\nstruct s {\n    int y;\n};\n\n" + function(71), "f has 71", 6)
        self.fails("base/c.c", "static __attribute__((format(printf, 1, 2))) " + function(71), "f has 71")
        self.fails("base/b.c", "#define X(n) int n;\nTABLE(X)\n#undef X\n\n" + function(71), "f has 71", 5)
        self.fails("base/d.c", "int g(\n    int a,\n    int b) {\n" + "    h();\n" * 67 + "}\n", "g has 71")

    def test_a_long_python_function_fails(self):
        self.fails("scripts/long", "#!/usr/bin/python3\ndef f():\n" + "    g()\n" * 70, "f has 71", 2)

    def test_python_that_is_none_fails(self):
        self.fails("scripts/broken.py", "x = 1\nx = = 2\n", "no Python", 2)

    def test_what_only_looks_like_code_does_not_count(self):
        texts = ['/* { strcpy( */', '// } strcpy(a, b)', 'const char *s = "{ strcpy(a, \\"b\\") \\\\";', "char c = '{';",
                 '#define OPEN {                                                                   \\\n    strlen(']
        self.passes("base/ok.c", "\n".join(texts) + "\n\n" + function(70))

    def test_braces_that_do_not_balance_fail(self):
        self.fails("base/a.c", "#if A\nint f(void) {\n#else\nint f(int a) {\n#endif\n}\n", "don't balance", 7)

    def test_every_banned_function_fails(self):
        with open(os.path.join(self.root, "scripts", "banned.txt"), encoding="utf-8") as table:
            rows = [line.split(None, 3) for line in table if line.strip() and not line.startswith("#")]
        self.assertGreater(len(rows), 30)
        for kind, name, where, _ in rows:
            folders = [place for place in where.split(",") if place[0] not in "*!" and "*" not in place]
            folder = folders[-1] if folders else "base"
            if folder != "base":
                self.write(folder + "/README.md", "# room\n")
            use = {"call": f"int y = {name}(x);", "word": f"{name} y;", "text": f"// {name} later"}[kind]
            with self.subTest(name):
                self.fails(folder + "/planted.c", "int x;\n" + use + "\n", name + ": ", 2)

    def test_a_banned_name_within_another_passes(self):
        self.passes("base/ok.c", "int y = my_strcpy(x) + ops->system(1) + ops.sleep(2) + strcpy_s(3);\nint strcpy;\n")
        self.passes("base/ok2.c", "char t[] = " + '"XXXX' + 'XX";\n')
        self.passes("store/README.md", "# room\n")
        self.passes("store/faulty.c", "int y = nanosleep(1);\n")
        self.passes("orchestrator/README.md", "# room\n")
        self.passes("orchestrator/ok.c", "int y = printf(1);\ndouble seconds;\n")

    def test_a_path_of_one_machine_fails(self):
        for path in ("home/me/x", "root/x", "Users/me", "work/main", "workspace/x", "tmp/mine/x"):
            with self.subTest(path):
                self.fails("base/a.c", f'const char *p = "/{path}";\n', "a path of one machine")
                self.fails("base/README.md", f"see /{path}\n", "a path of one machine")
                self.write("base/README.md", "# base\n")
        self.passes("base/ok.c", 'const char *p = "/tmp/txc-name", *q = "/usr/lib/x", *r = "http://a.b/home/c";\n')

    def test_white_space_fails(self):
        self.fails("base/a.c", "int x; \n", "white space")
        self.fails("base/b.c", "\tint x;\n", "a tab")
        self.fails("base/c.c", "int x;\r\n", "white space")
        self.fails("base/d.c", "int x;", "no newline")

    def test_vague_names_fail(self):
        for name in ("util.c", "helpers.c", "str_util.c", "common.c", "misc.c"):
            with self.subTest(name):
                self.fails("base/" + name, "int x;\n", "says nothing")

    def test_typedefs_fail_unless_they_name_the_type_of_a_function(self):
        self.passes("base/ok.c", "typedef void done_fn(void *ctx);\ntypedef const char *name_fn(int (*f)(int));\n"
                                 "typedef uint64_t number;\n")
        self.fails("base/a.c", "typedef struct {\n    int x;\n} thing;\n", "a typedef of a struct")
        self.fails("base/b.c", "typedef struct str text;\n", "a typedef of a struct")
        self.fails("base/c.c", "typedef void done(void *ctx);\n", "ends in _fn")
        self.fails("base/d.c", "typedef void (*done_fn)(void *ctx);\n", "not a pointer to it")

    def test_a_header_without_its_guard_fails(self):
        self.fails("base/a.h", "int x;\n", "begins with #ifndef TXC_BASE_A_H")
        self.fails("base/b.h", HEADER.format("BASE_A", "int x;\n"), "begins with #ifndef TXC_BASE_B_H")
        self.fails("adapters/a/b.h", HEADER.format("ADAPTERS_A", "int x;\n"), "begins with #ifndef TXC_ADAPTERS_A_B_H")
        self.passes("adapters/card/card.h", HEADER.format("ADAPTERS_CARD", "int x;\n"))
        self.passes("adapters/card/card.h", HEADER.format("ADAPTERS_CARD_CARD", "int x;\n"))
        self.fails("base/c.h", "#pragma once\nint x;\n", "begins with #ifndef")

    def test_a_room_without_its_page_fails(self):
        self.write("saga/a.c", "int x;\n")
        self.assertRegex(self.check(), "^saga/README.md:1: is missing.*\n$")

    def test_the_command_says_what_is_wrong_and_exits_with_1(self):
        def run(*files):
            command = [os.path.join(ROOT, "scripts", "style"), "--root", self.root, *files]
            return subprocess.run(command, capture_output=True, text=True, check=False)

        done = run()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("nothing to say", done.stdout)
        self.write("base/a.c", "int x; \n")
        done = run()
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        self.assertEqual(done.stdout, "base/a.c:1: white space at the end of the line\nstyle: 1 violations in 1 files\n")
        self.assertEqual(run(os.path.join(self.root, "base/str.h")).returncode, 0)
        self.assertEqual(run(os.path.join(self.root, "base/a.c")).returncode, 1)


class Rooms(Planted):
    """Every row of the table about who may include whom, on both sides."""

    HEADERS = {"store/store.h": "STORE_STORE", "store/backend.h": "STORE_BACKEND", "saga/saga.h": "SAGA_SAGA",
               "rpc/client.h": "RPC_CLIENT", "adapters/oil/oil.h": "ADAPTERS_OIL_OIL",
               "flows/trade/trade.h": "FLOWS_TRADE_TRADE", "orchestrator/app.h": "ORCHESTRATOR_APP",
               "orchestrator/ctl/ctl.h": "ORCHESTRATOR_CTL_CTL", "sim/sim.h": "SIM_SIM", "tests/x.h": "TESTS_X"}
    MAY = {
        "base/a.c": {"base/str.h"},
        "store/a.c": {"base/str.h", "store/store.h", "store/backend.h"},
        "saga/a.c": {"base/str.h", "store/store.h", "saga/saga.h"},
        "rpc/a.c": {"base/str.h", "rpc/client.h"},
        "adapters/oil/a.c": {"base/str.h", "rpc/client.h", "adapters/oil/oil.h"},
        "flows/trade/a.c": {"base/str.h", "store/store.h", "saga/saga.h", "adapters/oil/oil.h", "flows/trade/trade.h"},
        "orchestrator/a.c": {"base/str.h", "store/store.h", "store/backend.h", "saga/saga.h", "rpc/client.h",
                             "adapters/oil/oil.h", "flows/trade/trade.h", "orchestrator/app.h"},
        "orchestrator/ctl/a.c": {"base/str.h", "rpc/client.h", "orchestrator/ctl/ctl.h"},
        "sim/a.c": {"base/str.h", "rpc/client.h", "store/store.h", "store/backend.h", "sim/sim.h"},
        "tests/a.c": {"base/str.h", "tests/x.h", *HEADERS},
    }
    TYPED = {"adapters/oil/a.c", "flows/trade/a.c", "orchestrator/a.c", "orchestrator/document.c", "orchestrator/ctl/a.c",
             "sim/a.c"}
    LIBRARIES = {"<openssl/evp.h>": {"base/digest.c"}, "<sqlite3.h>": {"store/sqlite.c"}, "<mysql.h>": {"store/mysql.c"},
                 "<grpc/grpc.h>": {"rpc/a.c"}, "<protobuf-c/protobuf-c.h>": {"rpc/a.c", *TYPED},
                 "<pb_encode.h>": {"saga/journal.c"},
                 '"saga/journal.pb.h"': {"saga/journal.c"}, "<yaml.h>": {"orchestrator/document.c"},
                 "<jansson.h>": {"orchestrator/ctl/a.c"}, "<unheard-of.h>": set(),
                 '"google/rpc/status.pb-c.h"': {"rpc/a.c", *TYPED}, '"participant/oil/v1/oil.pb-c.h"': TYPED}
    FILES = [*MAY, "base/digest.c", "store/sqlite.c", "store/mysql.c", "saga/journal.c", "orchestrator/document.c"]

    def setUp(self):
        super().setUp()
        for path, guard in self.HEADERS.items():
            self.write(path, HEADER.format(guard, "int x;\n"))
        for path in self.FILES:
            self.write(os.path.join(path.split("/")[0], "README.md"), "# room\n")
        self.write("orchestrator/ctl/README.md", "# room\n")

    def refused(self):
        """The files that the check names."""
        return {line.split(":")[0] for line in self.check().split("\n") if ": include " in line}

    def test_rooms_include_what_they_may_and_nothing_else(self):
        for header in ["base/str.h", *self.HEADERS]:
            for path in self.MAY:
                self.write(path, f'#include "{header}"\n')
            with self.subTest(header):
                self.assertEqual(self.refused(), {path for path, may in self.MAY.items() if header not in may})

    def test_libraries_are_included_by_the_files_named_for_them_only(self):
        for header, may in self.LIBRARIES.items():
            for path in self.FILES:
                self.write(path, f"#include {header}\n")
            with self.subTest(header):
                self.assertEqual(self.refused(), set(self.FILES) - may - {"tests/a.c"})

    def test_an_include_is_named_from_the_root(self):
        self.fails("base/a.c", '#include "str.h"\n', "from the root of the tree")
        self.fails("base/b.c", '#include "../base/str.h"\n', "from the root of the tree")
        self.fails("base/c.c", '#include "base/missing.h"\n', "from the root of the tree")
        self.fails("base/d.c", "#include HEADER\n", "not a name")
        self.passes("base/ok.c", '// #include "str.h"\n/*\n#include <gone.h>\n*/\n#  include <stdio.h>\n')

    def test_a_folder_that_is_no_room_fails(self):
        self.fails("elsewhere/a.c", "int x;\n", "no row in scripts/rooms.txt")


if __name__ == "__main__":
    cases.run()
