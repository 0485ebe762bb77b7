/** Real shells: what commands answer, what outlives a connection, what a shell must not have or do. */

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { after, before, suite, test } from "node:test";
import type { ServerMessage } from "../src/protocol.js";
import type { Push } from "../src/push.js";
import { ADA, until, World } from "./support.js";

suite("a terminal", () => {
  let world: World;
  before(() => {
    world = new World();
  });
  after(() => world.end());

  test("answers ping, command, resize", async () => {
    const pong = await world.ask({ type: "ping", id: "p" });
    assert(pong.type === "pong" && pong.id === "p" && Math.abs(Date.now() - pong.timestamp) < 1000);
    const { type, output, exitCode, cwd } = await world.run("echo hello; exit_with() { return 3; }; exit_with");
    assert.deepEqual({ type, output, exitCode, cwd }, { type: "command_result", output: "hello\r\n", exitCode: 3, cwd: "~" });
    assert.deepEqual(await world.ask({ type: "resize", cols: 120, rows: 40 }), { type: "resize_ack", cols: 120, rows: 40 });
    assert.equal((await world.run("stty size")).output, "40 120\r\n");
    assert.equal((await world.run("no-such-program")).exitCode, 127);
    assert.equal((await world.run("echo 'never closed")).exitCode, 2);
    assert.equal((await world.run("")).exitCode, 0);
  });

  test("keeps directory, variables and functions", async () => {
    await world.run("X='a b'; cd /usr");
    assert.equal((await world.run("echo $X $PWD; cd -- 'no such'")).output.split("\r\n")[0], "a b /usr");
    const other = await world.run("pwd", { cwd: "/tmp" });
    assert.deepEqual([other.output, other.cwd], ["/tmp\r\n", "/tmp"]);
    const missing = await world.run("echo not here", { cwd: "/no/such'place" });
    assert(missing.exitCode === 1 && !missing.output.includes("not here\r\n"), missing.output);
    assert.equal((await world.run("pwd", { cwd: "~" })).cwd, "~");
  });

  test("is a terminal for programs that read", async () => {
    const begun = await world.ask({ type: "command", command: "read -r line; echo got $line; [ -t 0 ]", id: "r", wait: 50 });
    assert(begun.type === "command_running" && begun.id === "r" && !begun.push);
    const busy = await world.ask({ type: "command", command: "echo second" });
    assert(busy.type === "error" && busy.code === "busy");
    const { result, text } = await world.finish("word\r", begun.offset + begun.output.length);
    assert.deepEqual([result.id, result.exitCode, text], ["r", 0, "word\r\ngot word\r\n"]);
    const idle = await world.ask({ type: "input", data: "x" });
    assert(idle.type === "error" && idle.code === "not_running");
  });

  test("Ctrl-C ends a command, and the shell goes on", async () => {
    await world.run("KEPT=1");
    for (const command of ["sleep 60", "while :; do :; done"]) {
      const begun = await world.ask({ type: "command", command, wait: 50 });
      assert(begun.type === "command_running");
      const { result, text } = await world.finish("\u0003", begun.offset);
      assert.deepEqual([result.exitCode, result.ended, text], [130, undefined, "^C\r\n"]);
    }
    assert.match((await world.run("echo $KEPT")).output, /1\r\n$/);
  });

  test("goes on without a connection, and hands over what was missed", async () => {
    const begun = await world.ask({ type: "command", command: "echo begun; read -r; echo done", id: "long", wait: 200 });
    assert(begun.type === "command_running");
    world.sessions.ended(ADA.connectionId);
    const anew = { ...ADA, connectionId: "c2=" };
    const resumed = await world.ask({ type: "resume", offset: begun.offset }, anew);
    assert(resumed.type === "resumed" && resumed.running === "long" && resumed.terminal === begun.terminal);
    assert.equal(resumed.data, "begun\r\n");
    const { result, text } = await world.finish("\r", resumed.offset + resumed.data.length, anew);
    assert.deepEqual([result.id, result.exitCode, text], ["long", 0, "\r\ndone\r\n"]);
    const again = await world.ask({ type: "resume", offset: begun.offset }, { ...ADA, connectionId: "c3=" });
    assert(again.type === "resumed" && again.running === null);
    assert.deepEqual(again.last, { id: "long", exitCode: 0 });
  });

  test("a shell that ends is followed by another one, with the same files", async () => {
    await world.run("echo kept > file");
    const ended = await world.run("exit 7");
    assert.deepEqual([ended.exitCode, ended.ended], [7, "terminal_closed"]);
    assert.equal((await world.run("cat ~/file")).output, "kept\r\n");
  });

  test("much output comes in pieces that fit, and none is lost", async () => {
    const first = await world.run("seq 20000");
    let answer: ServerMessage = first;
    let text = first.output;
    assert(first.more === true);
    while (answer.more === true) {
      assert(JSON.stringify(answer).length < 120_000);
      answer = await world.ask({ type: "poll", offset: first.offset + text.length });
      assert(answer.type === "output");
      text += answer.data;
    }
    assert.deepEqual(text.split("\r\n"), [...Array.from({ length: 20_000 }, (_, at) => String(at + 1)), ""]);
  });
});

suite("limits", () => {
  test("time and output of a command", async () => {
    const world = new World({ commandSeconds: 1, outputKb: 16 });
    const late = await world.run("sleep 60");
    assert.deepEqual([late.exitCode, late.ended], [124, "time_limit"]);
    const stubborn = await world.run("trap '' INT; sleep 60");
    assert.deepEqual([stubborn.exitCode, stubborn.ended], [124, "time_limit"], "the whole terminal ends");
    const much = await world.run("yes");
    assert.equal(much.ended, "output_limit");
    assert.match((await world.run("echo still here")).output, /still here/);
    await world.end();
  });

  test("sessions of a user, and of all; the idle ones end", async () => {
    const world = new World({ maxSessions: 3, maxSessionsPerUser: 2 });
    const open = async (userId: string, sessionId: string) => (await world.ask({ type: "resume" }, { connectionId: `${userId}-${sessionId}`, sessionId, userId })).type;
    assert.deepEqual([await open("ada", "1"), await open("ada", "2"), await open("ada", "3")], ["resumed", "resumed", "error"]);
    world.sessions.ended("ada-1");
    assert.equal(await open("ada", "3"), "resumed", "one that nobody is connected to makes room");
    assert.deepEqual([await open("bob", "1"), await open("eve", "1")], ["resumed", "error"]);
    await world.sessions.endIdle(Date.now() + 899_000);
    assert.equal(world.sessions.size, 3);
    await world.sessions.endIdle(Date.now() + 901_000);
    assert.equal(world.sessions.size, 0);
    await world.end();
  });
});

suite("confinement", () => {
  test("a shell has nothing of this process, and limits", async () => {
    process.env["PLAIN_TEST_SECRET"] = "do-not-show";
    const world = new World();
    const { output } = await world.run("env; ls -A; ulimit -t; ulimit -n; ulimit -c; ls /proc/$$/fd | tr '\\n' ' '; cat /proc/$PPID/environ");
    assert.doesNotMatch(output, /do-not-show/);
    assert.match(output, /\r\n120\r\n256\r\n0\r\n0 1 2 255 /);
    if (process.getuid?.() === 0) {
      const { output } = await world.run("id -u; kill -0 $PPID; cat /etc/shadow; echo x > ../command; grep Cap /proc/self/status");
      assert.match(output, /^6[1-5]\d{3}\r\n/);
      assert.equal(output.match(/not permitted|denied/gi)?.length, 3, output);
      assert.match(output, /CapEff:\s0+\r\n/);
    }
    await world.end();
    delete process.env["PLAIN_TEST_SECRET"];
  });

  test("sessions of two users are two, whatever their name, and cannot reach each other", async () => {
    const world = new World();
    const bob = { ...ADA, connectionId: "c9=", userId: "bob" };
    const place = (await world.run("echo secret > file; X=mine; cd; pwd")).output.trim();
    const seen = await world.run(`echo "[$X]"; cat ${place}/file; ls ${place}/../..`, { sender: bob });
    assert.match(seen.output, /^\[\]\r\n/);
    if (process.getuid?.() === 0) assert.equal(seen.output.match(/Permission denied/g)?.length, 2, seen.output);
    const resumed = await world.ask({ type: "resume" }, bob);
    assert(resumed.type === "resumed" && !resumed.data.includes("mine"));
    await world.end();
  });

  test("the end leaves no process and no file", async () => {
    const world = new World();
    const { output } = await world.run("setsid sleep 4321 & nohup sleep 4321 >/dev/null 2>&1 & sleep 4321 & pwd; sleep 0.2");
    const home = /\/[\w/.-]+\/home/.exec(output)?.[0] ?? "";
    assert(existsSync(home), output);
    const sleeping = () =>
      readdirSync("/proc").filter((id) => {
        try {
          return /^\d+$/.test(id) && readFileSync(`/proc/${id}/cmdline`, "utf8").includes("sleep\x004321");
        } catch {
          return false;
        }
      }).length;
    if (process.platform === "linux") assert.equal(sleeping(), 3);
    await world.end();
    assert(!existsSync(home));
    if (process.platform === "linux") await until(() => sleeping() === 0, "the processes have ended");
  });
});

test("output is pushed to every connection, each from where it was, and a broken push is made up for", async () => {
  const sent: [string, ServerMessage][] = [];
  let works = true;
  const push: Push = {
    isSet: true,
    get works() {
      return works;
    },
    send(connectionId, message) {
      if (!works) return Promise.reject(new Error("denied"));
      if (connectionId === "gone=") return Promise.resolve(false);
      sent.push([connectionId, message]);
      return Promise.resolve(true);
    },
  };
  const world = new World({ push });
  const textTo = (connectionId: string) =>
    sent.map(([to, message]) => (to !== connectionId ? "" : message.type === "output" ? message.data : message.type === "command_result" ? message.output : "")).join("");
  const other = { ...ADA, connectionId: "c2=" };
  await world.ask({ type: "resume" }, other);
  await world.ask({ type: "resume" }, { ...ADA, connectionId: "gone=" });
  const begun = await world.ask({ type: "command", command: "echo one; read -r; echo two", id: "p", wait: 300 });
  assert(begun.type === "command_running" && begun.push);
  assert.equal(await world.sessions.ask(ADA, { type: "input", data: "\r" }), null);
  await until(() => sent.filter(([, message]) => message.type === "command_result").length === 2, "both were told the end");
  assert.equal(begun.output + textTo(ADA.connectionId), "one\r\n\r\ntwo\r\n");
  assert.equal(textTo(other.connectionId), "one\r\n\r\ntwo\r\n");

  works = false;
  const slow = await world.ask({ type: "command", command: "echo three; read -r", wait: 300 });
  assert(slow.type === "command_running" && !slow.push);
  const polled = await world.ask({ type: "poll", offset: slow.offset + slow.output.length, wait: 0 }, ADA);
  assert(polled.type === "output" && polled.running);
  await world.end();
});
