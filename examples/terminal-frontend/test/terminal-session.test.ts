import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { TerminalSession } from "../src/terminal/terminal-session.ts";

type Sent = Record<string, unknown>;

let sent: Sent[];
let written: string;
let connected: boolean;
let session: TerminalSession;

const ESCAPE = "\u001b";
const COLOURS = new RegExp(`${ESCAPE}\\[\\d+m`, "gu");
const MOVES = new RegExp(`(\r\n|\r${ESCAPE}\\[J|\r${ESCAPE}\\[\\d+C|\r|\n)`, "u");

/** Sent messages of a type, the latest last. */
const of = (type: string) => sent.filter((message) => message.type === type);
const last = (type: string): Sent => of(type).at(-1) ?? assert.fail(`no ${type} was sent`);

/** What the screen shows, as far as lines are only added at the end and the last one is drawn again. */
function screen(): string[] {
  const rows = [""];
  for (const part of written.replaceAll(COLOURS, "").split(MOVES)) {
    if (part === "\r\n" || part === "\n") rows.push("");
    else if (part === `\r${ESCAPE}[J`) rows[rows.length - 1] = "";
    else if (!part.startsWith("\r")) rows.push((rows.pop() ?? "") + part);
  }
  return rows;
}

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  sent = [];
  written = "";
  connected = true;
  const send = (message: Sent) => {
    if (connected) sent.push(message);
    return connected;
  };
  session = new TerminalSession({ cols: 80, write: (text) => (written += text) }, send);
});

afterEach(() => {
  session.dispose();
  mock.timers.reset();
});

const place = (offset: number) => ({ terminal: "t", offset });

/** A session with a prompt; the terminal has printed nothing yet. */
function ready(push = false): void {
  session.connected("first");
  session.received({ type: "resumed", ...place(0), data: "", running: null, last: null, cwd: "~", push });
}

function type(line: string): string {
  session.typed(`${line}\r`);
  return String(last("command").id);
}

test("a command and its result", () => {
  ready();
  const id = type("ls");
  session.received({ type: "command_result", id, ...place(0), output: "file\r\n", exitCode: 0, cwd: "~/app" });
  assert.deepEqual(screen(), ["~ $ ls", "file", "~/app $ "]);
});

test("a result that does not end its line, and an exit code", () => {
  ready();
  const id = type("false");
  session.received({ type: "command_result", id, ...place(0), output: "no", exitCode: 1, cwd: "~", ended: "time_limit" });
  assert.deepEqual(screen(), ["~ $ false", "no", "[exit 1: its time was over]", "~ $ "]);
});

test("output is asked for where it is not pushed, one question at a time", () => {
  ready();
  const id = type("make");
  session.received({ type: "command_running", id, ...place(0), output: "one\r\n", push: false });
  assert.deepEqual([of("poll").length, last("poll").offset], [1, 5]);
  session.received({ type: "output", ...place(5), data: "two\r\n", running: true });
  assert.deepEqual([of("poll").length, last("poll").offset], [2, 10]);
  session.received({ type: "command_result", id, ...place(10), output: "", exitCode: 0, cwd: "~" });
  assert.equal(of("poll").length, 2);
  assert.deepEqual(screen(), ["~ $ make", "one", "two", "~ $ "]);
});

test("nothing is asked for where it is pushed, but where it falls silent", () => {
  ready(true);
  const id = type("make");
  session.received({ type: "command_running", id, ...place(0), output: "", push: true });
  assert.equal(of("poll").length, 0);
  mock.timers.tick(15_000);
  assert.equal(of("resume").length, 2);
});

test("pieces that overtake each other are put in order", () => {
  ready(true);
  const id = type("make");
  session.received({ type: "command_running", id, ...place(0), output: "", push: true });
  session.received({ type: "output", ...place(5), data: "two\r\n", running: true });
  session.received({ type: "output", ...place(0), data: "one\r\n", running: true });
  mock.timers.tick(300);
  assert.equal(last("resume").offset, 5);
  session.received({ type: "resumed", ...place(5), data: "two\r\n", running: id, last: null, cwd: "~", push: true });
  assert.deepEqual(screen().slice(1), ["one", "two", ""]);
});

test("keys wait until the command runs, and until those before have arrived", () => {
  ready();
  const id = type("read name");
  session.typed("a");
  assert.equal(of("input").length, 0);
  session.received({ type: "command_running", id, ...place(0), output: "", push: false });
  assert.equal(last("input").data, "a");
  session.typed("d");
  session.typed("a\r");
  assert.equal(of("input").length, 1);
  session.received({ type: "input_ack", id: last("input").id });
  assert.equal(last("input").data, "da\r");
});

test("keys that the program did not wait for are at the next prompt", () => {
  ready();
  const id = type("sleep 1");
  session.typed("ls");
  session.received({ type: "command_result", id, ...place(0), output: "", exitCode: 0, cwd: "~" });
  assert.deepEqual(screen(), ["~ $ sleep 1", "~ $ ls"]);
});

test("after an error the backend is asked what became of the command, with growing pauses", () => {
  ready();
  const id = type("make");
  const down = { code: "backend_unreachable", message: "the backend cannot be reached" };
  session.trouble(down);
  mock.timers.tick(500);
  assert.equal(of("resume").length, 2);
  session.trouble(down);
  mock.timers.tick(999);
  assert.equal(of("resume").length, 2);
  mock.timers.tick(1);
  assert.equal(of("resume").length, 3);
  assert.equal(written.split("cannot be reached").length, 2, "the same is not said twice");
  session.received({ type: "resumed", ...place(0), data: "done\r\n", running: null, last: { id, exitCode: 2 }, cwd: "~", push: false });
  assert.deepEqual(screen().slice(1), ["[the backend cannot be reached]", "done", "[exit 2]", "~ $ "]);
});

test("a new connection: what was missed comes, and what was seen does not come again", () => {
  ready();
  const id = type("make");
  session.received({ type: "command_running", id, ...place(0), output: "one\r\n", push: false });
  session.disconnected({ code: 1006, reason: "", text: "the connection was lost" });
  connected = false;
  session.connected("again");
  connected = true;
  session.connected("again");
  assert.equal(last("resume").offset, 5);
  session.received({ type: "resumed", ...place(0), data: "one\r\ntwo\r\n", running: null, last: { id, exitCode: 0 }, cwd: "~", push: false });
  assert.equal(screen().join("\n").match(/one/gu)?.length, 1);
  assert.deepEqual(screen().slice(-2), ["two", "~ $ "]);
});

test("another terminal than before is told", () => {
  ready();
  session.connected("again");
  session.received({ type: "resumed", terminal: "u", offset: 0, data: "", running: null, last: null, cwd: "~", push: false });
  assert.ok(screen().includes("[a new terminal: the one before has ended]"), written);
});

test("a backend without sessions is a terminal as well", () => {
  session.connected("first");
  session.trouble({ code: "unknown_type", message: "type must be ping, command or resize" });
  session.received({ type: "error", code: "unknown_type", message: "type must be ping, command or resize" });
  type("ls");
  session.received({ type: "command_result", output: "file\n", exitCode: 0, cwd: "/home" });
  session.disconnected({ code: 1001, reason: "", text: "the gateway ended it" });
  session.connected("again");
  assert.deepEqual(screen(), ["$ ls", "file", "[the gateway ended it]", "[connected again, the session goes on]", "/home $ "]);
  assert.equal(of("resume").length, 1);
});

test("a command that cannot be sent", () => {
  ready();
  connected = false;
  session.typed("ls\r");
  assert.deepEqual(screen(), ["~ $ ls", "[not connected; the command was not sent]", "~ $ "]);
});

test("a second window sees what runs in the first, and may end it", () => {
  ready();
  type("ls");
  session.trouble({ code: "busy", message: "a command runs" });
  session.received({ type: "error", code: "busy", message: "a command runs", id: last("command").id });
  session.received({ type: "resumed", ...place(0), data: "theirs\r\n", running: "other", last: null, cwd: "~", push: true });
  session.typed("\x03");
  assert.equal(last("input").data, "\x03");
  session.received({ type: "command_result", id: "other", ...place(8), output: "^C\r\n", exitCode: 130, cwd: "~" });
  assert.deepEqual(screen().slice(-3), ["^C", "[exit 130]", "~ $ "]);
});
