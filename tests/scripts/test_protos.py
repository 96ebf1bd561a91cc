#!/usr/bin/python3
"""Each rule of scripts/protos fails on a planted violation, and on nothing else."""

import os
import shutil
import subprocess
import tempfile
import unittest

import cases

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
protos = cases.load(os.path.join(ROOT, "scripts", "protos"))

FINE = """syntax = "proto3";

package shop.order.v1;

import "google/protobuf/timestamp.proto";

service OrderService {
  rpc GetOrder(GetOrderRequest) returns (GetOrderResponse);
  rpc ListOrders(OrderServiceListOrdersRequest) returns (stream ListOrdersResponse);
}

message GetOrderRequest {
  string order_no = 1;
  map<string, int64> by_line2 = 2;
  oneof one_of {
    int32 first = 3;
  }
  optional int32 maybe = 4;
}

message GetOrderResponse {
  enum OrderState {
    ORDER_STATE_UNSPECIFIED = 0;
    ORDER_STATE_DONE = 1;
  }
  OrderState state = 1;
  google.protobuf.Timestamp at = 2;
}

message OrderServiceListOrdersRequest {}

message ListOrdersResponse {}

message OrderLine {}

enum OSKind {
  OS_KIND_UNSPECIFIED = 0;
  OS_KIND_V2 = 2;
}
"""

# rule: (what is replaced in FINE, by what)
PLANTED = {
    "PACKAGE_DIRECTORY_MATCH": ("package shop.order.v1;", "package shop.orders.v1;"),
    "PACKAGE_DEFINED": ("package shop.order.v1;", "// none"),
    "IMPORT_NO_PUBLIC": ('import "google', 'import public "google'),
    "IMPORT_NO_WEAK": ('import "google', 'import weak "google'),
    "IMPORT_USED": ("package shop.order.v1;", 'package shop.order.v1;\nimport "google/protobuf/any.proto";'),
    "MESSAGE_PASCAL_CASE": ("OrderServiceListOrdersRequest {}", "OrderServiceListOrdersRequest {}\nmessage a_b {}"),
    "FIELD_LOWER_SNAKE_CASE": ("string order_no", "string orderNo"),
    "ONEOF_LOWER_SNAKE_CASE": ("oneof one_of", "oneof oneOf"),
    "ENUM_PASCAL_CASE": ("enum OSKind", "enum OS_Kind"),
    "ENUM_NO_ALLOW_ALIAS": ("  OS_KIND_V2 = 2;", "  option allow_alias = true;\n  OS_KIND_V2 = 2;\n  OS_KIND_OLD = 2;"),
    "ENUM_VALUE_UPPER_SNAKE_CASE": ("OS_KIND_V2", "OS_KIND_v2"),
    "ENUM_VALUE_PREFIX": ("ORDER_STATE_DONE", "DONE"),
    "ENUM_ZERO_VALUE_SUFFIX": ("OS_KIND_UNSPECIFIED", "OS_KIND_NONE"),
    "SERVICE_PASCAL_CASE": ("service OrderService {", "service Order_Service {"),
    "SERVICE_SUFFIX": ("service OrderService {", "service Orders {"),
    "RPC_PASCAL_CASE": ("rpc GetOrder(", "rpc get_order("),
    "RPC_REQUEST_STANDARD_NAME": ("rpc GetOrder(", "rpc FetchOrder("),
    "RPC_RESPONSE_STANDARD_NAME": ("(stream ListOrdersResponse)", "(stream OrderLine)"),
    "RPC_REQUEST_RESPONSE_UNIQUE": ("(stream ListOrdersResponse)", "(stream GetOrderResponse)"),
}
# What breaks another rule too, because it can't be planted alone.
ALSO = {
    "RPC_PASCAL_CASE": {"RPC_REQUEST_STANDARD_NAME", "RPC_RESPONSE_STANDARD_NAME"},
    "RPC_REQUEST_STANDARD_NAME": {"RPC_RESPONSE_STANDARD_NAME"},
    "RPC_REQUEST_RESPONSE_UNIQUE": {"RPC_RESPONSE_STANDARD_NAME"},
    "SERVICE_PASCAL_CASE": {"RPC_REQUEST_STANDARD_NAME"},
    "SERVICE_SUFFIX": {"RPC_REQUEST_STANDARD_NAME"},
}


def planted(rule):
    """FINE with the rule broken."""
    old, new = PLANTED[rule]
    assert old in FINE
    return FINE.replace(old, new, 1)


class Protos(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, path, text):
        full = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)

    def rules(self):
        return {rule for _, _, rule, _ in protos.check(self.folder)[0]}

    def test_what_is_right_passes(self):
        self.write("shop/order/v1/order_book.proto", FINE)
        self.assertEqual(protos.check(self.folder), ([], 1))

    def test_each_rule_about_one_file_fails_alone(self):
        for rule in PLANTED:
            self.write("shop/order/v1/order.proto", planted(rule))
            with self.subTest(rule):
                self.assertEqual(self.rules(), {rule} | ALSO.get(rule, set()))

    def test_names_and_versions_of_packages_and_files(self):
        for path, package, rule in (("shop/order/v1/orderBook.proto", "shop.order.v1", "FILE_LOWER_SNAKE_CASE"),
                                    ("shop/order/order.proto", "shop.order", "PACKAGE_VERSION_SUFFIX"),
                                    ("shop/order/w1/order.proto", "shop.order.w1", "PACKAGE_VERSION_SUFFIX"),
                                    ("shop/v0/order.proto", "shop.v0", "PACKAGE_VERSION_SUFFIX"),
                                    ("shop/bigOrder/v1/order.proto", "shop.bigOrder.v1", "PACKAGE_LOWER_SNAKE_CASE")):
            self.write(path, FINE.replace("shop.order.v1", package))
            with self.subTest(path):
                self.assertEqual(self.rules(), {rule})
            os.remove(os.path.join(self.folder, path))
        for version in ("v1", "v12", "v1beta1", "v1alpha", "v2p1beta3", "v1test", "v1testing"):
            self.write(f"shop/{version}/order.proto", FINE.replace("shop.order.v1", "shop." + version))
        self.assertEqual(self.rules(), set())

    def test_files_of_a_folder_share_their_package(self):
        self.write("shop/order/v1/a.proto", FINE)
        self.write("shop/order/v1/b.proto", 'syntax = "proto3";\npackage shop.other.v1;\n')
        self.assertEqual(self.rules(), {"DIRECTORY_SAME_PACKAGE", "PACKAGE_DIRECTORY_MATCH"})

    def test_files_of_a_package_share_their_folder(self):
        self.write("shop/order/v1/a.proto", FINE)
        self.write("elsewhere/b.proto", 'syntax = "proto3";\npackage shop.order.v1;\n')
        self.assertEqual(self.rules(), {"PACKAGE_SAME_DIRECTORY", "PACKAGE_DIRECTORY_MATCH"})

    def test_files_of_a_package_share_their_options(self):
        self.write("shop/order/v1/a.proto", FINE)
        for option in ("csharp_namespace", "go_package", "java_package", "php_namespace", "ruby_package", "swift_prefix"):
            self.write("shop/order/v1/b.proto", f'syntax = "proto3";\npackage shop.order.v1;\noption {option} = "x";\n')
            with self.subTest(option):
                self.assertEqual(self.rules(), {"PACKAGE_SAME_" + option.upper()})

    def test_what_only_old_syntax_allows_fails(self):
        self.write("a/v1/a.proto", "package a.v1;\nmessage M { required int32 a = 1; }\nenum Kind { KIND_A = 1; }\n")
        self.assertEqual(self.rules(), {"SYNTAX_SPECIFIED", "FIELD_NOT_REQUIRED", "ENUM_FIRST_VALUE_ZERO"})

    def test_packages_do_not_import_in_circles(self):
        head = 'syntax = "proto3";\npackage '
        self.write("b/v1/b.proto", head + "b.v1;\nmessage B {}\n")
        self.write("a/v1/a.proto", head + 'a.v1;\nimport "b/v1/b.proto";\nmessage A { b.v1.B b = 1; }\n')
        self.write("c/v1/c.proto", head + 'c.v1;\nimport "a/v1/a.proto";\nmessage C { a.v1.A a = 1; }\n')
        self.assertEqual(self.rules(), set())
        self.write("b/v1/d.proto", head + 'b.v1;\nimport "c/v1/c.proto";\nmessage D { c.v1.C c = 1; }\n')
        self.assertEqual(self.rules(), {"PACKAGE_NO_IMPORT_CYCLE"})

    def test_what_others_wrote_is_exempt(self):
        for package in ("google/rpc", "grpc/health/v1"):
            text = 'syntax = "proto3";\npackage wrong;\nimport "google/protobuf/any.proto";\nenum e { none = 0; }\n'
            self.write(package + "/x.proto", text.replace("wrong", package.replace("/", "_")))
        self.assertEqual(protos.check(self.folder), ([], 0))

    def test_the_command_names_file_line_and_rule(self):
        self.write("shop/order/v1/order.proto", planted("FIELD_LOWER_SNAKE_CASE"))
        command = [os.path.join(ROOT, "scripts", "protos"), "--proto", self.folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        self.assertIn("/shop/order/v1/order.proto:13: FIELD_LOWER_SNAKE_CASE: orderNo", done.stdout)
        self.write("shop/order/v1/order.proto", "this is no proto")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("order.proto", done.stderr)


if __name__ == "__main__":
    cases.run()
