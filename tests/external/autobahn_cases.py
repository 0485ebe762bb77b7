"""Autobahn's test cases as published, read into Python 3.

The suite is Python 2, and its text is bytes. Here a text is one whose letters are bytes (Latin-1), so the cases run unchanged: what they send and what they
expect is theirs. Only what Python 3 cannot parse is translated: `print` statements go, `/` between whole numbers is `//`, and a class has no base twice.
"""

import ast
import codecs
import importlib.metadata
import re
import sys
import types

LEFT_OUT = re.compile(r"case(9_|12_)")


class WebSocketProtocol:
    """The constants that cases name."""

    STATE_CLOSED, STATE_CONNECTING, STATE_CLOSING, STATE_OPEN = range(4)
    CLOSE_STATUS_CODE_NORMAL = 1000
    CLOSE_STATUS_CODE_GOING_AWAY = 1001
    CLOSE_STATUS_CODE_PROTOCOL_ERROR = 1002
    CLOSE_STATUS_CODE_UNSUPPORTED_DATA = 1003
    CLOSE_STATUS_CODE_INVALID_PAYLOAD = 1007
    CLOSE_STATUS_CODE_POLICY_VIOLATION = 1008
    CLOSE_STATUS_CODE_MESSAGE_TOO_BIG = 1009
    CLOSE_STATUS_CODES_ALLOWED = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011]


class Utf8Validator:
    """Whether a text is valid so far, and whether it ends where a letter ends."""

    def reset(self) -> None:
        self.decoder = codecs.getincrementaldecoder("utf-8")()

    def validate(self, text: str) -> tuple[bool, bool]:
        try:
            self.decoder.decode(text.encode("latin-1"))
        except UnicodeDecodeError:
            return False, False
        return True, not self.decoder.getstate()[0]


class Python3(ast.NodeTransformer):
    """Divisions of whole numbers."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Div):
            node.op = ast.FloorDiv()
        return node


def module(name: str, **members) -> types.ModuleType:
    made = types.ModuleType(name)
    made.__dict__.update(members)
    return made


def load() -> dict[str, type]:
    """Every case but those left out, by its number such as `6.4.1`."""
    files = importlib.metadata.files("autobahntestsuite")
    sources = {path.stem: path.locate() for path in files if path.match("autobahntestsuite/case/case*.py")}
    known = {
        "autobahn": module("autobahn"),
        "autobahn.websocket": module("autobahn.websocket"),
        "autobahn.websocket.protocol": module("autobahn.websocket.protocol", WebSocketProtocol=WebSocketProtocol),
        "autobahn.websocket.utf8validator": module("autobahn.websocket.utf8validator", Utf8Validator=Utf8Validator),
        "binascii": module("binascii", b2a_hex=lambda text: text.encode("latin-1").hex()),
    }
    shadowed = {name: sys.modules.get(name) for name in [*known, *sources]}
    sys.modules.update(known)

    def read(name: str) -> None:
        if isinstance(sys.modules.get(name), types.ModuleType) and getattr(sys.modules[name], "of_suite", False):
            return
        text = sources[name].read_bytes().decode("latin-1")
        text = re.sub(r"(?m)^#.*coding.*$", "#", text)
        text = text.replace("(object, Case, )", "(Case, )")
        text = re.sub(r"(?m)^(\s*)print\b.*$", r"\1pass", text)
        for wanted in re.findall(r"(?m)^from (case\w*) import", text):
            read(wanted)
        made = module(name, xrange=range, unichr=chr, of_suite=True)
        sys.modules[name] = made
        tree = ast.fix_missing_locations(Python3().visit(ast.parse(text)))
        exec(compile(tree, str(sources[name]), "exec"), made.__dict__)

    cases = {}
    try:
        for name in sources:
            if not LEFT_OUT.match(name):
                read(name)
        base = sys.modules["case"].Case
        base.compare = lambda self, one, other: one == other
        for name in sources:
            for value in vars(sys.modules.get(name, types)).values() if not LEFT_OUT.match(name) else []:
                for found in value if isinstance(value, list) else [value]:
                    if isinstance(found, type) and issubclass(found, base) and re.fullmatch(r"Case\d+(_\d+)+", found.__name__):
                        cases[found.__name__.removeprefix("Case").replace("_", ".")] = found
    finally:
        for name, old in shadowed.items():
            sys.modules.pop(name, None)
            if old is not None:
                sys.modules[name] = old
    return dict(sorted(cases.items(), key=lambda case: [int(part) for part in case[0].split(".")]))
