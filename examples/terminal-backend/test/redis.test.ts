/** The store in a real Redis that goes away and comes back. Skipped where `redis-server` is not installed. */

import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { RedisStore } from "../src/store/redis.js";
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

async function kill(redis: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const exit = once(redis, "exit");
  redis.kill(signal);
  await exit;
}

test("Redis goes away and comes back, and a session is begun anew from it", { skip: MISSING }, async () => {
  const port = await freePort();
  let redis = await startRedis(port);
  const open = async () => {
    const store = new RedisStore(`redis://127.0.0.1:${port}`, 300);
    await until(() => store.status === "connected", "Redis is connected");
    return store;
  };
  const store = await open();
  const world = new World({ store });
  try {
    const later = Math.floor(Date.now() / 1000) + 300;
    const other = await open();
    assert.deepEqual([await store.first("tag", later), await store.first("tag", later), await other.first("tag", later)], [true, false, false]);
    await other.close();

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
    await next.close();
  } finally {
    await store.close();
    await kill(redis, "SIGKILL");
  }
});
