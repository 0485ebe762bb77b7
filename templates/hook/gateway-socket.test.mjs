// node --test: no browser, no network, no waiting.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { GatewaySocket, TIMING, explain } from "./gateway-socket.mjs";

/** The browser's WebSocket, played by the test. */
class FakeSocket {
  /** @type {FakeSocket[]} */
  static all = [];
  static get last() {
    return FakeSocket.all.at(-1);
  }

  readyState = 0;
  sent = [];

  constructor(url, protocols) {
    if (!url.startsWith("ws")) throw new SyntaxError(`"${url}" is no WebSocket URL`);
    this.url = new URL(url);
    this.protocols = protocols;
    FakeSocket.all.push(this);
  }

  send(text) {
    assert.ok(new TextEncoder().encode(text).length <= 32 * 1024, "a frame holds 32 KB");
    this.sent.push(JSON.parse(text));
  }

  close(code, reason) {
    this.readyState = 3;
    this.closed = { code, reason };
  }

  open() {
    this.readyState = 1;
    this.onopen?.({});
  }

  /** The server speaks. */
  say(message) {
    this.onmessage?.({ data: typeof message === "string" ? message : JSON.stringify(message) });
  }

  /** As the handler does with `sequence: on`. */
  answer(at, message) {
    this.say({ ...message, seq: this.sent[at].seq });
  }

  /** The server, or the network, ends it. */
  drop(code = 1006, reason = "") {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  get types() {
    return this.sent.map(({ type, command }) => command ?? type);
  }
}

/** All that a client told, in order. */
let told;
let client;
let listeners;

/** Lets promises that are due go on. */
async function flush() {
  for (let turn = 0; turn < 10; turn++) await null;
}

async function pass(ms) {
  mock.timers.tick(ms);
  await flush();
}

async function start(options = {}) {
  told = [];
  client = new GatewaySocket({
    url: "wss://api.example/prod",
    sessionId: "s 1",
    token: "jwt",
    onMessage: (message) => told.push(["message", message.type]),
    onConnect: (how) => told.push(["connect", how]),
    onDisconnect: ({ code }) => told.push(["disconnect", code]),
    onError: ({ code, unanswered }) => told.push(["error", code, ...(unanswered ?? []).map(({ command }) => command)]),
    ...options,
  });
  client.start();
  await flush();
  return FakeSocket.last;
}

/** A client whose handler gives `seq` back. */
async function connected(options) {
  const socket = await start(options);
  socket.open();
  socket.answer(0, { type: "pong" });
  told = [];
  return socket;
}

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  mock.method(Math, "random", () => 1);
  FakeSocket.all = [];
  listeners = {};
  globalThis.WebSocket = FakeSocket;
  globalThis.addEventListener = (name, listener) => (listeners[name] = listener);
  globalThis.removeEventListener = (name) => delete listeners[name];
  Object.defineProperty(globalThis, "navigator", { value: { onLine: true }, configurable: true, writable: true });
});

afterEach(() => {
  client?.stop();
  mock.timers.reset();
  mock.restoreAll();
});

test("the token travels as sub-protocol, and the URL has the session", async () => {
  const socket = await start();
  assert.equal(socket.url.href, "wss://api.example/prod?sessionId=s%201&parts=1");
  assert.deepEqual(socket.protocols, ["wsfix.jwt", "jwt"]);
  assert.equal(client.state.phase, "connecting");
  socket.open();
  assert.equal(client.state.phase, "open");
  assert.deepEqual(told, [["connect", "first"]]);
  assert.deepEqual(socket.types, ["ping"], "the backend learns of the connection at once");
});

test("the token travels in the URL where that is wanted, and a ticket as one", async () => {
  const socket = await start({ tokenIn: "query", token: "a+b", parts: false });
  assert.equal(socket.url.search, "?sessionId=s%201&token=a%2Bb");
  assert.deepEqual(socket.protocols, []);
  client.stop();
  assert.deepEqual((await start({ credential: "ticket" })).protocols, ["wsfix.ticket", "jwt"]);
  client.stop();
  assert.equal((await start({ url: "wss://api.example/prod?a=1", sessionId: undefined, parts: false })).url.search, "?a=1");
});

test("every connection asks for a new token", async () => {
  let made = 0;
  const first = await start({ token: async () => `jwt${++made}` });
  first.open();
  first.drop();
  await pass(500);
  assert.deepEqual(FakeSocket.last.protocols, ["wsfix.jwt", "jwt2"]);
});

test("a token that cannot be had is an error, and is asked for again", async () => {
  let made = 0;
  await start({ token: () => (++made < 3 ? Promise.reject(new Error("HTTP 500")) : "jwt") });
  assert.deepEqual(told, [["error", "token"]]);
  assert.match(client.state.text, /HTTP 500; trying again in 0.5 s/);
  await pass(500);
  assert.equal(FakeSocket.all.length, 0);
  await pass(1000);
  assert.equal(FakeSocket.all.length, 1);
});

test("a refused handshake is explained as far as browsers let it, and tried again", async () => {
  const socket = await start();
  socket.drop(1006);
  assert.deepEqual(told, [["error", "refused"]], "there was no connection to lose");
  assert.match(client.state.text, /Browsers hide which: 401/);
  assert.equal(client.state.phase, "waiting");
  await pass(500);
  assert.equal(FakeSocket.all.length, 2);
});

test("a handshake without an answer ends after 20 s, and so does a token that does not come", async () => {
  const socket = await start();
  await pass(TIMING.connect - 1);
  assert.deepEqual(told, []);
  await pass(1);
  assert.deepEqual(told, [["error", "timeout"]]);
  assert.ok(socket.closed);
  socket.open();
  assert.equal(client.state.phase, "waiting", "what was given up does not come back");
  client.stop();
  await start({ token: () => new Promise(() => {}) });
  await pass(TIMING.connect);
  assert.deepEqual(told, [["error", "timeout"]]);
});

test("pauses double, end at 30 s, and begin anew after a connection that held", async () => {
  await start();
  const pauses = [];
  for (let attempt = 0; attempt < 9; attempt++) {
    const before = FakeSocket.all.length;
    FakeSocket.last.drop();
    let pause = 0;
    while (FakeSocket.all.length === before) await pass(((pause += 250), 250));
    pauses.push(pause);
  }
  assert.deepEqual(pauses, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
  FakeSocket.last.open();
  FakeSocket.last.drop();
  assert.match(client.state.text, /in 30.0 s/, "a connection of a moment is no good one");
  await pass(30_000);
  FakeSocket.last.open();
  await pass(TIMING.stable);
  FakeSocket.last.drop();
  assert.match(client.state.text, /in 0.5 s/);
});

test("half of a pause is chance", async () => {
  mock.method(Math, "random", () => 0);
  const socket = await start();
  socket.drop();
  assert.match(client.state.text, /in 0.3 s/);
});

test("a data ping goes out every 30 s", async () => {
  const socket = await connected();
  for (let minute = 0; minute < 10; minute++) {
    await pass(30_000);
    socket.answer(socket.sent.length - 1, { type: "pong" });
  }
  assert.equal(socket.types.filter((type) => type === "ping").length, 11);
  assert.equal(FakeSocket.all.length, 1);
});

test("a connection on which nothing comes any more is replaced", async () => {
  const socket = await connected();
  await pass(30_000);
  await pass(30_000);
  assert.deepEqual(told, [["disconnect", 1006]]);
  assert.ok(socket.closed);
  await pass(500);
  FakeSocket.last.open();
  assert.deepEqual(told.at(-1), ["connect", "again"]);
});

test("a lost connection tells what was not answered, and repeats nothing", async () => {
  const socket = await connected();
  assert.equal(client.send({ type: "command", command: "ls" }), true);
  assert.equal(client.send({ type: "command", command: "rm x" }), true);
  socket.answer(2, { type: "command_result" });
  socket.drop(1001, "Going away");
  assert.deepEqual(told, [["message", "command_result"], ["disconnect", 1001], ["error", "unanswered", "ls"]]);
  assert.equal(client.send({ type: "command", command: "pwd" }), false);
  await pass(500);
  FakeSocket.last.open();
  assert.deepEqual(FakeSocket.last.types, ["ping"]);
  assert.equal(FakeSocket.last.url.searchParams.get("sessionId"), "s 1", "the session goes on");
});

test("an answer that is missing is noticed while the connection lives", async () => {
  const socket = await connected();
  client.send({ type: "command", command: "one" });
  client.send({ type: "command", command: "two" });
  socket.answer(2, { type: "command_result" });
  for (let at = 0; at < 2; at++) {
    await pass(30_000);
    socket.answer(socket.sent.length - 1, { type: "pong" });
  }
  assert.deepEqual(told.filter(([what]) => what === "error"), [["error", "unanswered", "one"]]);
});

test("a handler that gives no numbers back raises no false alarm", async () => {
  const socket = await start();
  socket.open();
  socket.say({ type: "pong" });
  client.send({ type: "command", command: "ls" });
  await pass(30_000);
  socket.say({ type: "pong" });
  await pass(30_000);
  socket.drop();
  assert.deepEqual(told.filter(([what]) => what === "error"), []);
  client.stop();
  (await start({ sequence: false })).open();
  assert.deepEqual(FakeSocket.last.sent, [{ type: "ping" }]);
});

test("the handler's notice: the new connection opens before the old one closes, and no answer is lost", async () => {
  const old = await connected();
  old.say({ type: "wsfix.reconnect", afterSeconds: 100, withinSeconds: 500, resume: "R1k=" });
  await pass(30_000);
  old.answer(1, { type: "pong" });
  await pass(30_000);
  old.answer(2, { type: "pong" });
  await pass(30_000);
  old.answer(3, { type: "pong" });
  told = [];
  await pass(9_999);
  assert.equal(FakeSocket.all.length, 1);
  await pass(1);
  const next = FakeSocket.last;
  assert.equal(next.url.search, "?sessionId=s%201&parts=1&resume=R1k%3D");
  client.send({ type: "command", command: "before" });
  assert.equal(client.state.phase, "open", "the old one is used as long as the new one is not open");
  next.open();
  assert.deepEqual(told, [["connect", "rollover"]]);
  client.send({ type: "command", command: "after" });
  assert.equal(old.types.at(-1), "before");
  assert.equal(next.types.at(-1), "after");
  next.answer(0, { type: "pong" });
  await pass(TIMING.linger);
  assert.equal(old.closed, undefined, "an answer is on its way on the old one");
  old.answer(old.sent.length - 1, { type: "command_result" });
  assert.deepEqual(told.at(-1), ["message", "command_result"]);
  assert.deepEqual(old.closed, { code: 1000, reason: "replaced" });
  next.answer(1, { type: "command_result" });
  assert.deepEqual(told.filter(([what]) => what !== "message"), [["connect", "rollover"]], "nobody notices but the hook");
});

test("without a notice a connection is replaced before its two hours are over", async () => {
  await connected();
  let minutes = 0;
  while (FakeSocket.all.length === 1) {
    await pass(30_000);
    FakeSocket.all[0].answer(FakeSocket.all[0].sent.length - 1, { type: "pong" });
    minutes += 0.5;
  }
  assert.equal(minutes, 110);
  FakeSocket.last.open();
  FakeSocket.last.answer(0, { type: "pong" });
  await pass(TIMING.linger);
  assert.ok(FakeSocket.all[0].closed, "with no answer open, the old one closes soon");
});

test("a replaced connection is closed after 30 s where numbers do not come back", async () => {
  const old = await start();
  old.open();
  old.say({ type: "pong" });
  old.say({ type: "wsfix.reconnect", afterSeconds: 0, resume: "R1k=" });
  await pass(0);
  FakeSocket.last.open();
  FakeSocket.last.say({ type: "pong" });
  await pass(TIMING.answer - 1);
  assert.equal(old.closed, undefined);
  await pass(1);
  assert.ok(old.closed);
});

test("a roll-over that fails leaves the old connection in use, and is tried again", async () => {
  const old = await connected();
  old.say({ type: "wsfix.reconnect", afterSeconds: 0, resume: "R1k=" });
  await pass(0);
  FakeSocket.last.drop();
  assert.equal(client.state.phase, "open");
  assert.equal(client.send({ type: "command", command: "ls" }), true);
  assert.equal(old.types.at(-1), "ls");
  await pass(500);
  assert.equal(FakeSocket.all.length, 3);
  assert.equal(FakeSocket.last.url.searchParams.get("resume"), "R1k=");
});

test("the old connection ends while the new one is on its way", async () => {
  const old = await connected();
  old.say({ type: "wsfix.reconnect", afterSeconds: 0, resume: "R1k=" });
  await pass(0);
  old.drop(1001);
  assert.equal(client.state.phase, "connecting");
  FakeSocket.last.open();
  assert.deepEqual(told, [["disconnect", 1001], ["connect", "again"]]);
  assert.equal(FakeSocket.all.length, 2);
});

test("an expired token: a new connection with a new one", async () => {
  let made = 0;
  const old = await connected({ token: () => `jwt${++made}` });
  client.send({ type: "command", command: "ls" });
  old.answer(1, { type: "error", code: "auth_expired", message: "the token has expired", requestId: "r" });
  assert.deepEqual(told, [["error", "auth_expired"], ["message", "error"]]);
  await pass(500);
  assert.deepEqual(FakeSocket.last.protocols, ["wsfix.jwt", "jwt2"]);
  FakeSocket.last.open();
  assert.deepEqual(told.at(-1), ["connect", "rollover"]);
});

test("a connection with a new token is there before the old token expires", async () => {
  const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const jwt = (seconds) => `${encoded({ alg: "HS256" })}.${encoded({ sub: "größer", iat: Date.now() / 1000, exp: Date.now() / 1000 + seconds })}.mac`;
  const lives = async (options) => {
    client?.stop();
    FakeSocket.all = [];
    const first = await connected(options);
    for (let seconds = 5; seconds <= 600; seconds += 5) {
      await pass(5_000);
      first.answer(first.sent.length - 1, { type: "pong" });
      if (FakeSocket.all.length > 1) return seconds;
    }
    return Infinity;
  };
  assert.equal(await lives({ token: () => jwt(300) }), 285);
  assert.equal(await lives({ token: () => jwt(5) }), 30, "a clock that is wrong makes no flood");
  assert.equal(await lives({ token: () => jwt(300), renew: false }), Infinity);
  assert.equal(await lives({ token: () => "no.jwt" }), Infinity);
  assert.equal(await lives({ token: () => `wst1.${encoded({ exp: Date.now() / 1000 + 30, authUntil: Date.now() / 1000 + 100 })}.mac` }), 85);
  const same = jwt(100);
  assert.equal(await lives({ token: () => same }), 85);
  FakeSocket.last.open();
  FakeSocket.last.answer(0, { type: "pong" });
  await pass(60_000);
  assert.equal(FakeSocket.all.length, 2, "the same token again is no new one");
});

test("parts are joined, in any order, beside other messages", async () => {
  const texts = [];
  const socket = await connected({ onMessage: (message) => texts.push(message.data ?? message.type) });
  const whole = JSON.stringify({ type: "output", data: "größer" });
  const part = (index, data) => socket.say({ type: "wsfix.part", id: "a", index, count: 3, data });
  part(2, whole.slice(20));
  socket.say({ type: "pong" });
  part(0, whole.slice(0, 10));
  part(0, whole.slice(0, 10));
  assert.deepEqual(texts, ["pong", "pong"]);
  part(1, whole.slice(10, 20));
  assert.deepEqual(texts.at(-1), "größer");
});

test("parts that stay incomplete are thrown away, and told", async () => {
  const socket = await connected();
  socket.say({ type: "wsfix.part", id: "a", index: 0, count: 2, data: "{" });
  for (let at = 0; at < 3; at++) {
    await pass(30_000);
    socket.answer(socket.sent.length - 1, { type: "pong" });
  }
  assert.deepEqual(told.filter(([what]) => what === "error"), [["error", "incomplete"]]);
});

test("a large message goes out in parts that fit frames", async () => {
  const socket = await connected();
  const text = 'é"\n😀'.repeat(9000);
  client.send({ type: "command", command: text });
  const parts = socket.sent.slice(1);
  assert.ok(parts.length > 3 && parts.every(({ type, count }) => type === "wsfix.part" && count === parts.length));
  assert.equal(JSON.parse(parts.map(({ data }) => data).join("")).command, text);
  client.send({ type: "command", command: text });
  assert.notEqual(socket.sent.at(-1).id, parts[0].id);
  client.stop();
  (await start({ parts: false })).open();
  assert.equal(client.send({ type: "command", command: text }), false);
  assert.deepEqual(told.at(-1), ["error", "too_large"]);
});

test("offline: attempts pause, and go on at once when the network is back", async () => {
  const socket = await connected();
  navigator.onLine = false;
  socket.drop();
  assert.equal(client.state.phase, "offline");
  await pass(29_000);
  assert.equal(FakeSocket.all.length, 1);
  navigator.onLine = true;
  listeners.online();
  await flush();
  assert.equal(FakeSocket.all.length, 2);
});

test("back online: a connection that does not answer a ping within 5 s is dead", async () => {
  const socket = await connected();
  listeners.online();
  socket.answer(1, { type: "pong" });
  await pass(5_000);
  assert.equal(client.state.phase, "open");
  listeners.online();
  await pass(5_000);
  assert.deepEqual(told.at(-1), ["disconnect", 1006]);
});

test("errors of the gateway are told", async () => {
  const socket = await connected();
  socket.say({ message: "Internal server error", connectionId: "c", requestId: "r" });
  socket.say("Endpoint request timed out");
  assert.deepEqual(told, [["error", "gateway"], ["message", undefined], ["error", "not_json"]]);
});

test("stop is the end", async () => {
  const socket = await connected();
  client.stop();
  assert.deepEqual(socket.closed, { code: 1000, reason: "bye" });
  assert.deepEqual(told, [["disconnect", 1000]]);
  assert.equal(client.send({ type: "ping" }), false);
  await pass(10 * 60_000);
  assert.equal(FakeSocket.all.length, 1);
  assert.deepEqual(Object.keys(listeners), []);
  client.start();
  await flush();
  assert.equal(FakeSocket.all.length, 2);
});

test("stop while the token is asked for opens nothing", async () => {
  let give;
  await start({ token: () => new Promise((resolve) => (give = resolve)) });
  client.stop();
  give("jwt");
  await flush();
  assert.equal(FakeSocket.all.length, 0);
});

test("a URL that is none ends it, with a word", async () => {
  await start({ url: "nonsense" });
  assert.deepEqual(told, [["error", "url"]]);
  assert.equal(client.state.phase, "stopped");
});

test("close codes are explained", () => {
  assert.match(explain(1001), /ten minutes without data, two hours/);
  assert.match(explain(1009), /32 KB/);
  assert.equal(explain(4001), "closed with code 4001");
});
