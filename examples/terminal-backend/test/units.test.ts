/** What needs no process: messages, settings, signatures, text and marks. */

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { programOf, quoted } from "../src/log.js";
import { parseMessage, parseSender } from "../src/protocol.js";
import { regionOf } from "../src/push.js";
import { readSettings, SettingsError } from "../src/settings.js";
import { UsedHere } from "../src/signature.js";
import { MarkReader } from "../src/terminal/marker.js";
import { Transcript } from "../src/terminal/transcript.js";

suite("messages of clients", () => {
  test("good ones are taken, without what is not theirs", () => {
    for (const message of [
      { type: "ping", id: "p" },
      { type: "command", command: "ls -la" },
      { type: "command", command: "", id: "c", cwd: "/tmp", wait: 0 },
      { type: "input", data: "\u0003" },
      { type: "resize", cols: 1, rows: 1000 },
      { type: "resume" },
      { type: "resume", offset: 0 },
      { type: "poll", offset: 7, wait: 15_000 },
    ]) {
      assert.deepEqual(parseMessage({ action: "sendMessage", connectionId: "c", ...message }), message);
    }
  });

  test("bad ones are told what is wrong", () => {
    const codeOf = (body: Record<string, unknown>) => {
      const message = parseMessage(body);
      return message.type === "error" ? message.code : null;
    };
    for (const body of [
      { type: "ping", id: 7 },
      { type: "ping", id: "i".repeat(65) },
      { type: "command" },
      { type: "command", command: ["ls"] },
      { type: "command", command: "a\0b" },
      { type: "command", command: "x".repeat(32_769) },
      { type: "command", command: "ls", cwd: "" },
      { type: "command", command: "ls", wait: 15_001 },
      { type: "input", data: "" },
      { type: "resize", cols: 80 },
      { type: "resize", cols: 0, rows: 24 },
      { type: "resize", cols: 80.5, rows: 24 },
      { type: "resize", cols: 80, rows: 1001 },
      { type: "resize", cols: "80", rows: "24" },
      { type: "resume", offset: -1 },
      { type: "poll" },
      { type: "poll", offset: Number.NaN },
    ]) {
      assert.equal(codeOf(body), "bad_request", JSON.stringify(body));
    }
    for (const body of [{}, { type: "toString" }, { type: null }, { type: "PING" }]) assert.equal(codeOf(body), "unknown_type");
  });

  test("a sender is who the body says, as a whole", () => {
    assert.deepEqual(parseSender({ connectionId: "c", sessionId: "s", userId: null }), { connectionId: "c", sessionId: "s", userId: null });
    assert.equal(parseSender({ connectionId: "c", sessionId: null }), null);
    assert.equal(parseSender({ connectionId: "", sessionId: "s" }), null);
  });
});

suite("settings", () => {
  const WSFIX_SIGNING_KEY = "k".repeat(32);

  test("a key is enough", () => {
    const settings = readSettings({ WSFIX_SIGNING_KEY, REDIS_URL: "", PORT: " " });
    assert.equal(settings.port, 8080);
    assert.equal(settings.host, "127.0.0.1");
    assert.equal(settings.redisUrl, null);
    assert.deepEqual(readSettings({ WSFIX_SIGNING_KEY: `${WSFIX_SIGNING_KEY}, ${"n".repeat(32)}` }).signingKeys.length, 2);
  });

  test("all that is wrong is said at once, without values", () => {
    const read = () => readSettings({ WSFIX_SIGNING_KEY: "short-secret", PORT: "http", REDIS_URL: "hidden-password@host", LOG_COMMANDS: "yes" });
    assert.throws(read, (error: unknown) => {
      assert(error instanceof SettingsError);
      for (const name of ["WSFIX_SIGNING_KEY", "PORT", "REDIS_URL", "LOG_COMMANDS"]) assert.match(error.message, new RegExp(name));
      assert.doesNotMatch(error.message, /short-secret|hidden-password/);
      return true;
    });
    for (const key of [undefined, "", ",", `${WSFIX_SIGNING_KEY},`, `${WSFIX_SIGNING_KEY},`.repeat(2) + WSFIX_SIGNING_KEY]) {
      assert.throws(() => readSettings({ WSFIX_SIGNING_KEY: key }), SettingsError);
    }
  });

  test("the Region is in the address of an API", () => {
    assert.equal(regionOf("https://abc.execute-api.eu-west-1.amazonaws.com/prod"), "eu-west-1");
    assert.equal(regionOf("https://abc.execute-api.cn-north-1.amazonaws.com.cn/prod"), "cn-north-1");
    assert.equal(regionOf("https://ws.example.com/prod"), undefined);
  });
});

test("signatures: each is used once, and none is let in where no more can be remembered", async () => {
  const used = new UsedHere(2);
  const now = Math.floor(Date.now() / 1000);
  assert.equal(await used.first("a", now - 1), true);
  assert.equal(await used.first("b", now + 300), true);
  assert.equal(await used.first("b", now + 300), false);
  assert.equal(await used.first("c", now + 300), true, "what is too old to count makes room");
  assert.equal(await used.first("d", now + 300), "full");
});

suite("the log", () => {
  test("a value from outside makes no line of its own", () => {
    assert.equal(quoted("a\nb\u2028c\u0000"), String.raw`a\u000ab\u2028c\u0000`);
    assert.equal(quoted("x".repeat(200)).length, 131);
    assert.equal(quoted(undefined), "-");
  });

  test("of a command the program is named alone", () => {
    for (const [command, program] of [
      ["ls -la", "ls"],
      [" /usr/bin/env X=1", "/usr/bin/env"],
      ["ls;rm x", "ls"],
      ["PASSWORD=secret mysql", "(a line of shell)"],
      ["'quoted secret'", "(a line of shell)"],
      ["", "(a line of shell)"],
    ] as const) {
      assert.equal(programOf(command), program, command);
    }
  });
});

suite("the transcript", () => {
  test("text has its place", () => {
    const transcript = new Transcript();
    transcript.append("hello ");
    transcript.append("world");
    assert.deepEqual(transcript.read(6, 100), { offset: 6, data: "world", skipped: 0, next: 11 });
    assert.deepEqual(transcript.read(0, 4), { offset: 0, data: "hell", skipped: 0, next: 4 });
    assert.deepEqual(transcript.read(99, 100), { offset: 11, data: "", skipped: 0, next: 11 });
  });

  test("a piece fits as JSON and cuts no character in two", () => {
    const transcript = new Transcript();
    transcript.append('aé€😀"\\\n\u001b'.repeat(100));
    for (let limit = 6; limit < 200; limit += 1) {
      let [from, whole] = [0, ""];
      while (from < transcript.end) {
        const { data, next } = transcript.read(from, limit);
        assert(data !== "" && Buffer.byteLength(JSON.stringify(data)) <= limit + 2, `${limit}`);
        assert(data.isWellFormed(), `${limit}`);
        [from, whole] = [next, whole + data];
      }
      assert.equal(whole, 'aé€😀"\\\n\u001b'.repeat(100));
    }
  });

  test("what is old goes, and who wants it is told how much", () => {
    const transcript = new Transcript();
    for (let line = 0; line < 50_000; line += 1) transcript.append(`line ${line} 😀\r\n`);
    const { offset, data, skipped } = transcript.read(0, 10_000);
    assert(skipped === offset && offset > 0 && data.startsWith("line "));
    assert(transcript.end - offset < 400_000);
    assert.match(transcript.tail(100), /^line \d+ 😀\r\n(line \d+ 😀\r\n)+$/u);
  });
});

suite("marks", () => {
  const mark = "\u001b]6973;name;3;/tmp/a b\u0007";
  const other = "\u001b]6973;eman;3;/tmp\u0007";

  test("they are found wherever the pieces are cut", () => {
    const text = `before\u001b[31m${mark}after${other}\u001b]0;title\u0007`;
    for (let cut = 0; cut <= text.length; cut += 1) {
      const reader = new MarkReader("name");
      const found = [...reader.read(text.slice(0, cut)), ...reader.read(text.slice(cut))];
      const texts = found.filter((one) => typeof one === "string").join("");
      assert.equal(texts, `before\u001b[31mafter${other}\u001b]0;title\u0007`);
      assert.deepEqual(found.filter((one) => typeof one !== "string"), [{ exitCode: 3, cwd: "/tmp/a b" }]);
    }
  });

  test("what only begins like one is text in the end", () => {
    const reader = new MarkReader("name");
    const text = `\u001b]6973;name;${"x".repeat(10_000)}`;
    assert.deepEqual([...reader.read(text), ...reader.read("y")], [text, "y"]);
    assert.deepEqual(new MarkReader("name").read("\u001b]6973;name;none\u0007"), []);
  });
});
