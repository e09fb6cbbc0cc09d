#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
"""Does docs/definition.schema.json take what the parser takes? Every example and every good definition validates; of the
bad ones, those whose shape is wrong (shape-*) do not, and those that only the validator can find out (rule-*) do. That
its keys are the parser's is test_schema_keys' business. Runs in the repository's root; the argument, the build folder,
is not used.
"""
import glob
import json
import re
import sys

import jsonschema
import yaml


class Core(yaml.SafeLoader):
    """YAML 1.2's core schema: `off` and 52:54:00:00:00:01 are text."""


Core.yaml_implicit_resolvers = {}
for tag, pattern, first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
):
    Core.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile(f"^(?:{pattern})$"), list(first))


def load(path):
    with open(path, encoding="utf-8") as f:
        return yaml.load(f, Core)


def main():
    with open("docs/definition.schema.json", encoding="utf-8") as f:
        schema = json.load(f)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    passed = failed = 0
    for pattern, good in (
        ("examples/*.yaml", True),
        ("tests/unit/good/*.yaml", True),
        ("tests/unit/bad/rule-*.yaml", True),
        ("tests/unit/bad/shape-*.yaml", False),
    ):
        paths = sorted(glob.glob(pattern))
        if not paths:
            print(f"FAIL {pattern}: no such files")
            failed += 1
        for path in paths:
            errors = [e.message for e in validator.iter_errors(load(path))]
            if bool(errors) == good:
                failed += 1
                print(f"FAIL {path}: {'; '.join(errors) if errors else 'the schema takes it'}")
            else:
                passed += 1
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


sys.exit(main())
