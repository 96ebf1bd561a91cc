"""Runs unittest cases and prints them in cmocka's form, so that ./dev test counts them like any other case."""

import importlib.machinery
import importlib.util
import os
import sys
import unittest


class Result(unittest.TestResult):
    def startTest(self, test):
        super().startTest(test)
        print(f"[ RUN      ] {test.id().rsplit('.', 1)[1]}", flush=True)

    def addSuccess(self, test):
        print(f"[       OK ] {test.id().rsplit('.', 1)[1]}", flush=True)

    def failed(self, test, error):
        print(self._exc_info_to_string(error, test))
        print(f"[  FAILED  ] {test.id().rsplit('.', 1)[1]}", flush=True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.failed(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self.failed(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            print(f"in {subtest}:")
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.failed(test, err)


def load(path):
    """A script as a module, whatever its name ends in."""
    loader = importlib.machinery.SourceFileLoader(os.path.basename(path).replace("-", "_"), path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    return module


def run():
    """Runs the cases of the calling program and exits."""
    result = Result()
    unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"]).run(result)
    sys.exit(0 if result.testsRun and result.wasSuccessful() else 1)
