/** The process: how it starts, what it lets in, how it ends. */

import assert from "node:assert/strict";
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { suite, test } from "node:test";
import { fileURLToPath } from "node:url";

const KEY = "a-signing-key-of-the-tests-0123456789";
const SERVER = fileURLToPath(new URL("../src/server.js", import.meta.url));

type Server = ChildProcessByStdio<null, Readable, Readable>;

function start(environment: Record<string, string>): Server {
  return spawn(process.execPath, [SERVER], { env: { PATH: process.env["PATH"], ...environment }, stdio: ["ignore", "pipe", "pipe"] });
}

async function exit(server: Server): Promise<{ code: number | null; said: string }> {
  let said = "";
  server.stderr.on("data", (chunk) => (said += String(chunk)));
  const [code] = (await once(server, "close")) as [number | null];
  return { code, said };
}

async function post(url: string, path: string, body: string, changed: Record<string, string> = {}): Promise<Response> {
  const [time, id] = [Math.floor(Date.now() / 1000), randomUUID()];
  const tag = createHmac("sha256", KEY).update(`${time}.${id}.POST.${path}.${body}`).digest("hex");
  return fetch(url + path, { method: "POST", headers: { "X-Request-Id": id, "X-Wsfix-Signature": `t=${time},v1=${tag}`, ...changed }, body });
}

suite("the server", () => {
  test("serves what is signed, and ends in order", async () => {
    const server = start({ WSFIX_SIGNING_KEY: `another-key-of-the-tests-0123456789,${KEY}`, PORT: "0" });
    const lines: string[] = [];
    const reader = createInterface(server.stdout);
    reader.on("line", (line) => lines.push(line));
    while (!lines.some((line) => line.startsWith("listening"))) await once(reader, "line");
    const url = `http://127.0.0.1:${/port (\d+)/.exec(lines.at(-1) ?? "")?.[1]}`;

    const healthy = await fetch(`${url}/health`);
    assert.deepEqual([healthy.status, await healthy.json()], [200, { status: "ok", sessions: 0, push: false, redis: "not used" }]);
    assert.equal((await fetch(`${url}/`)).status, 404);
    const from = { connectionId: "c1=", sessionId: "s\n1", userId: "ada" };
    const message = (body: object) => post(url, "/api/ws/message", JSON.stringify({ ...from, ...body }));
    const ran = (await (await message({ type: "command", command: "pwd -P", action: "sendMessage" })).json()) as Record<string, unknown>;
    assert.deepEqual([ran["type"], ran["exitCode"]], ["command_result", 0]);
    const home = String(ran["output"]).trim();
    assert(existsSync(home), home);
    assert.equal((await message({ type: "command", command: "sleep 60", wait: 10 })).status, 200);
    assert.deepEqual(await (await message({ type: "no\nsuch" })).json(), { type: "error", code: "unknown_type", message: "type must be ping, command, input, resize, resume or poll" });
    assert.equal((await post(url, "/api/ws/message", "[]")).status, 400);
    assert.equal((await post(url, "/api/ws/message", "{")).status, 400);
    assert.equal((await post(url, "/api/ws/message", '{"type":"ping"}')).status, 400);
    assert.equal((await post(url, "/api/ws/message", "{}", { "X-Wsfix-Signature": "t=1,v1=00" })).status, 401);
    assert.equal((await post(url, "/api/ws/message", " ".repeat(6_000_000))).status, 413);
    assert.equal((await post(url, "/api/ws/disconnect", JSON.stringify({ ...from, code: 1001 }))).status, 204);
    assert.equal((await post(url, "/api/ws/disconnect", JSON.stringify({ connectionId: "c2=", sessionId: null, userId: null }))).status, 204);

    // One request is under way while the process is told to end.
    const waiting = message({ type: "poll", offset: 0, wait: 15_000 });
    while (!lines.at(-1)?.includes("poll")) await once(reader, "line");
    server.kill("SIGTERM");
    assert.equal((await waiting).status, 200);
    const { code } = await exit(server);
    assert.equal(code, 0);
    assert(!existsSync(home));
    assert.deepEqual(
      lines.filter((line) => !line.startsWith("listening")),
      [
        "[Redis] REDIS_URL is not set: sessions are kept in memory, and end with this process",
        "[WS] Message from c1=: { type: 'command' }",
        "[Terminal] Executing: pwd",
        "[WS] Message from c1=: { type: 'command' }",
        "[Terminal] Executing: sleep",
        String.raw`[WS] Message from c1=: { type: 'no\u000asuch' }`,
        String.raw`[WS] Client disconnected: c1=, Session: s\u000a1, Code: 1001`,
        "[WS] Client disconnected: c2=, Session: -, Code: -",
        "[WS] Message from c1=: { type: 'poll' }",
        "SIGTERM: 1 sessions end",
      ],
    );
  });

  test("says what is wrong before it listens", async () => {
    const unset = await exit(start({ PORT: "0" }));
    assert.equal(unset.code, 2);
    assert.match(unset.said, /^WSFIX_SIGNING_KEY must be /);
    const first = start({ WSFIX_SIGNING_KEY: KEY, PORT: "0" });
    const reader = createInterface(first.stdout);
    let port: string | undefined;
    while (port === undefined) port = /listening on port (\d+)/.exec(((await once(reader, "line")) as [string])[0])?.[1];
    const second = await exit(start({ WSFIX_SIGNING_KEY: KEY, PORT: port }));
    assert.equal(second.code, 1);
    assert.match(second.said, /cannot listen on 127\.0\.0\.1, port \d+: .*EADDRINUSE/);
    first.kill("SIGTERM");
    assert.equal((await exit(first)).code, 0);
  });
});
