/** The store in a real Redis that goes away and comes back. Skipped where `redis-server` is not installed. */

import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { RedisLink } from "../src/store/redis-link.js";
import { RedisStore } from "../src/store/redis.js";
import { RedisRelay } from "../src/store/relay.js";
import { ADA, until, World } from "./support.js";

const MISSING = spawnSync("redis-server", ["--version"]).status === 0 ? false : "redis-server is not installed";

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

async function startRedis(port: number): Promise<ChildProcess> {
  const redis = spawn("redis-server", ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--dir", tmpdir()], { stdio: ["ignore", "pipe", "inherit"] });
  for await (const chunk of redis.stdout) if (String(chunk).includes("Ready to accept connections")) break;
  return redis;
}

/** Soon asked again after it was silent. */
function connect(port: number): RedisLink {
  return new RedisLink(`redis://127.0.0.1:${port}`, 300);
}

async function kill(redis: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const exit = once(redis, "exit");
  redis.kill(signal);
  await exit;
}

test("Redis goes away and comes back, and a session is begun anew from it", { skip: MISSING }, async () => {
  const port = await freePort();
  let redis = await startRedis(port);
  const links: RedisLink[] = [];
  const open = async () => {
    const link = connect(port);
    links.push(link);
    const store = new RedisStore(link);
    await until(() => store.status === "connected", "Redis is connected");
    return store;
  };
  const store = await open();
  const world = new World({ store });
  try {
    const later = Math.floor(Date.now() / 1000) + 300;
    const other = await open();
    assert.deepEqual([await store.first("tag", later), await store.first("tag", later), await other.first("tag", later)], [true, false, false]);

    await world.ask({ type: "resize", cols: 100, rows: 30 });
    const { terminal } = await world.run("cd /usr; echo on the screen");
    await kill(redis, "SIGKILL");
    await until(() => store.status === "unavailable", "the store knows");
    assert.equal((await world.run("echo without Redis")).output, "without Redis\r\n");
    assert.deepEqual([await store.first("tag", later), await store.first("new", later)], [false, true]);

    redis = await startRedis(port);
    await until(() => store.status === "connected", "Redis is connected again");
    redis.kill("SIGSTOP");
    const began = Date.now();
    await world.run("echo one");
    assert.equal(await store.first("slow", later), true);
    assert(Date.now() - began < 3000 && store.status === "unavailable", "one that does not answer is not waited for");
    redis.kill("SIGCONT");
    await until(() => store.status === "connected", "it is asked again");

    await world.run("echo two");
    const running = await world.ask({ type: "command", command: "sleep 60", id: "lost", wait: 10 });
    assert.equal(running.type, "command_running");
    await world.end(); // as a new version of the backend is started
    const next = await open();
    const after = new World({ store: next });
    const resumed = await after.ask({ type: "resume", offset: 5000 });
    assert(resumed.type === "resumed" && resumed.terminal !== terminal && resumed.running === null);
    assert.deepEqual([resumed.cols, resumed.rows, resumed.cwd], [100, 30, "/usr"]);
    const screen = await after.ask({ type: "resume" });
    assert(screen.type === "resumed");
    assert.equal(screen.data, "on the screen\r\nwithout Redis\r\none\r\ntwo\r\n\r\n[the terminal was started anew: the command that ran is gone]\r\n");
    assert.equal((await after.run("pwd; stty size")).output, "/usr\r\n30 100\r\n");
    assert.equal(await next.session('["eve","s1"]'), null);
    await after.sessions.endIdle(Date.now() + 1e9);
    await until(async () => (await next.session(JSON.stringify([ADA.userId, ADA.sessionId]))) === null, "an idle session is forgotten");
    await after.end();
  } finally {
    await Promise.all(links.map((link) => link.close()));
    await kill(redis, "SIGKILL");
  }
});

test("a message that comes to another process is handed to the one with the session", { skip: MISSING }, async () => {
  const port = await freePort();
  const redis = await startRedis(port);
  const links = [connect(port), connect(port)];
  const [one, other] = links.map((link) => new World({ store: new RedisStore(link), relay: new RedisRelay(link) })) as [World, World];
  try {
    await until(() => links.every((link) => link.status === "connected"), "both are connected");
    await one.run("X=here");
    await until(async () => (await other.run("echo $X")).output === "here\r\n", "the other process asks the first");
    assert.deepEqual([one.sessions.size, other.sessions.size], [1, 0]);
    const begun = await other.ask({ type: "command", command: "read -r line", id: "r", wait: 50 });
    assert(begun.type === "command_running");
    const { result } = await other.finish("\r", begun.offset);
    assert.deepEqual([result.id, result.exitCode], ["r", 0]);
    assert.equal((await other.ask({ type: "ping" })).type, "pong");
    const bob = { ...ADA, connectionId: "c2=", userId: "bob" };
    assert.equal((await other.run("echo $X", { sender: bob })).output, "\r\n", "a user of the other process");

    await one.end();
    await links[0]?.close();
    const taken = await other.ask({ type: "resume" });
    assert(taken.type === "resumed" && taken.data.includes("here") && taken.data.includes("started anew"));
    assert.equal(other.sessions.size, 2);

    // One that is killed leaves its claim behind, and nobody who hears.
    await links[1]?.ask((client) => client.set('terminal:owner:["ada","s2"]', "dead"));
    assert.equal((await other.run("echo taken over", { sender: { ...ADA, sessionId: "s2" } })).output, "taken over\r\n");
  } finally {
    await Promise.all([one.end(), other.end()]);
    await links[1]?.close();
    await kill(redis, "SIGKILL");
  }
});
