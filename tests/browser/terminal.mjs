// From the page to the shell and back, in a real browser: page, local gateway, the handler's binary, Express, Redis. And what the page does when one of
// them is gone. Each step that went well is a line; the first one that does not ends it.

import { strict as assert } from "node:assert";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chromium } from "playwright-core";

import { dynamodb } from "./aws.mjs";
import { Screen } from "./screen.mjs";
import { backend, dev, redis, serve } from "./stage.mjs";

const { WSFIX, HANDLER, FRONTEND, BACKEND, CHROMIUM, SCREENSHOT } = process.env;
/** How much faster the gateway's time passes in the step that holds a connection: its ten idle minutes are five seconds. */
const SPEED = 120;

const started = Date.now();
function ok(step, evidence) {
  console.log(`ok ${((Date.now() - started) / 1000).toFixed(1).padStart(5)} s  ${step}: ${evidence}`);
}

const folder = mkdtempSync(join(tmpdir(), "wsfix-browser-"));
chmodSync(folder, 0o711); // the shells' homes are in it, and shells are other users where root starts them
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const key = randomBytes(32).toString("hex");
const environment = { WSFIX_SIGNING_KEY: key, folder };

const store = await redis();
const settings = { WSFIX_SIGNING_KEY: key, REDIS_URL: store.url, PORT: "0", TMPDIR: folder };
let express = await backend(BACKEND, settings);
const [site, cloud, fast, browser] = await Promise.all([
  serve(FRONTEND),
  dev(WSFIX, ["--handler", HANDLER, "--backend-url", express.url, "--signing-key", "env:WSFIX_SIGNING_KEY"], environment),
  dev(WSFIX, ["--handler", HANDLER, "--speed", String(SPEED), "--existing-role", "websocket-handler-role"], { folder }),
  // Root has no sandbox in Chromium.
  chromium.launch({ executablePath: CHROMIUM, args: process.getuid() === 0 ? ["--no-sandbox"] : [] }),
]);
settings.PORT = express.port;
ok("everything runs", `${browser.version()}, replies by ${cloud.outputs.reply} and by ${fast.outputs.reply}`);

const link = ({ websocket_url, session_id, token }, path = "/") =>
  `${site}${path}#${new URLSearchParams({ url: websocket_url, sessionId: session_id, token })}`;
const open = async (url) => {
  const context = await browser.newContext({ viewport: { width: 900, height: 480 } });
  const page = await context.newPage();
  const screen = new Screen(page);
  await page.clock.install();
  await page.goto(url);
  return screen;
};

const screen = await open(link(cloud));
const { page } = screen;
await screen.connects();
await screen.until("the console's line", () => screen.console.includes("[Terminal] Connected successfully"));
assert.equal(page.url(), `${site}/`, "the token is out of the address bar");
ok("the page connects", "[Terminal] Connected successfully");

await screen.run("touch report.txt && ls -la", /\n\S*rw\S* .* report\.txt/);
ok("`ls -la`", (await screen.text()).match(/^.* report\.txt$/m)[0]);

const size = async () => {
  await screen.run("clear; stty size", /\d+ \d+/);
  return (await screen.text()).match(/(\d+) (\d+)/).slice(1).map(Number);
};
const before = await size();
await page.setViewportSize({ width: 1200, height: 700 });
const after = await screen.until("the shell knows the new size", async () => {
  const now = await size();
  return now[0] > before[0] && now[1] > before[1] && now;
});
ok("resize", `${before.join(" x ")} became ${after.join(" x ")}`);

await screen.type("for n in 1 2 3 4 5; do echo line $n; sleep 0.2; done; read -p 'name? ' name");
await screen.shows(/line 5\nname\?/);
await page.keyboard.type("ada\n");
await screen.run('echo "hello $name"', /\nhello ada/);
await screen.type("sleep 600");
await page.keyboard.press("Control+c");
await screen.shows(/\[exit 130\]/);
ok("a long command", "output as it comes, an answer to its question, Ctrl-C");

await screen.run("found=again; echo kept", /\nkept/);
await page.reload();
await screen.connects();
await screen.shows(/hello ada/);
await screen.run("echo found $found", /\nfound again/);
ok("a reload finds the session", "its screen and its variables");

const simple = await open(link(cloud, "/simple"));
await simple.connects();
await simple.page.locator("#command").fill("echo $((6 * 7))");
await simple.page.keyboard.press("Enter");
await simple.until("the answer", async () => (await simple.page.locator("pre").innerText()).includes("42"));
await simple.page.context().close();
ok("the hook that an app had before", "the URL alone is another");

const stranger = await open(link({ ...cloud, token: `${cloud.token}x` }));
await stranger.says(/Browsers hide which: 401.*trying again in/);
await stranger.page.context().close();
ok("a bad token", "the page says what it can know, and that it tries again");

// The gateway's time and the page's run at the same pace: twelve minutes, in six seconds.
const held = await open(link(fast));
await held.connects();
const connectedAt = Date.now();
const socket = held.sockets.at(-1);
for (let tick = 0; tick < 24; tick++) {
  const pongs = socket.pongs;
  const next = Date.now() + 30_000 / SPEED;
  await held.page.clock.runFor(30_000);
  await held.until("a pong", () => socket.pongs > pongs || held.sockets.length > 1);
  await held.until("the gateway's time", () => Date.now() >= next);
}
assert.ok(!socket.socket.isClosed() && held.sockets.length === 1, `${held.sockets.length} connections`);
ok("a connection holds", `12 minutes, with ${socket.pongs} pings: neither 25 s nor 10 idle minutes end it`);


// The table says that the connection is 111 minutes old: the handler tells the page, which goes on in a new one. All times there are the gateway's.
const TableName = fast.outputs.table;
const { Items } = await dynamodb(fast, "Scan", { TableName });
const { connectionId, connectedAt: began } = Items.find((item) => item.sessionId?.S === fast.session_id);
const old = { ":then": { N: String(Number(began.N) + (Date.now() - connectedAt) * SPEED - 111 * 60_000) } };
await dynamodb(fast, "UpdateItem", { TableName, Key: { connectionId }, UpdateExpression: "SET connectedAt = :then", ExpressionAttributeValues: old });
await held.page.clock.runFor(30_000);
const notice = await held.until("the notice", () => socket.received.find(({ type }) => type === "wsfix.reconnect"));
await held.page.clock.fastForward(notice.afterSeconds * 1000);
await held.until("a second connection", () => held.sockets[1]?.pongs > 0);
await held.page.clock.fastForward(30_000);
await held.until("the first one is closed", () => socket.socket.isClosed());
assert.equal(new URL(held.sockets[1].socket.url()).searchParams.get("resume"), connectionId.S);
const [next] = (await dynamodb(fast, "Scan", { TableName })).Items.filter((item) => item.sessionId?.S === fast.session_id);
assert.equal(next.resumedFrom?.S, connectionId.S, JSON.stringify(next));
assert.ok(!held.console.some((line) => line.includes("Disconnected")), held.console.join("\n"));
ok("the handler's notice", `after ${notice.afterSeconds} s a new connection, which goes on from the old one`);
await held.page.context().close();
await fast.program.kill();

// While numbers are printed, the page's clock jumps to the time at which it changes to a new connection.
const numbers = async (from, to) => (await screen.text()).match(/^n\d+$/gm)?.join(" ") === Array.from({ length: to - from + 1 }, (_, at) => `n${from + at}`).join(" ");
const first = screen.sockets.at(-1).socket;
await screen.type("clear; for n in $(seq 1 20); do echo n$n; sleep 0.1; done");
await screen.shows(/^n3$/m);
await page.clock.fastForward(116 * 60_000);
const second = await screen.until("a new connection", () => screen.sockets.at(-1).socket !== first && screen.sockets.at(-1));
await screen.until("every number once", () => numbers(1, 20));
await screen.prompt();
await screen.until("an answer on the new connection", () => second.pongs > 0);
await page.clock.fastForward(30_000);
await screen.until("the old connection is closed", () => first.isClosed());
assert.ok(!screen.console.some((line) => line.includes("Disconnected")), screen.console.join("\n"));
ok("before two hours are over", "a new connection, then the end of the old one; of 20 lines none is missing, none came twice");

const sandboxes = () => execFileSync("pgrep", ["-P", String(cloud.program.process.pid)], { encoding: "utf8" }).trim().split("\n").map(Number);
await screen.type("clear; for n in $(seq 21 35); do echo n$n; sleep 0.2; done");
await screen.shows(/^n22$/m);
sandboxes().forEach((pid) => process.kill(pid, "SIGKILL"));
await screen.shows(/\[Internal server error\]/);
await screen.until("every number once", () => numbers(21, 35));
await screen.prompt();
ok("the handler's sandbox is killed", "[Internal server error], then the rest of the output");

await express.program.kill();
await screen.type("echo anybody?");
await screen.shows(/\[the backend cannot be reached\]|\[.*backend.*\]/);
const said = (await screen.text()).match(/^\[.*backend.*\]$/m)[0];
const push = { MANAGEMENT_URL: cloud.outputs.management_url, AWS_REGION: cloud.region, AWS_ACCESS_KEY_ID: cloud.access_key_id, AWS_SECRET_ACCESS_KEY: cloud.secret_access_key };
express = await backend(BACKEND, { ...settings, ...push });
await screen.shows(/\[a new terminal: the one before has ended\]/);
await screen.run("clear; echo back", /^back$/m);
ok("the backend is killed, and started again", `${said}, then [a new terminal: the one before has ended]`);

const polls = screen.sent("poll");
await screen.type("clear; for n in $(seq 41 60); do echo n$n; sleep 0.1; done");
await screen.until("every number once", () => numbers(41, 60));
await screen.prompt();
assert.equal(screen.sent("poll"), polls, "nothing is asked for where it is pushed");
ok("output is pushed", "20 lines through @connections, in order");

let since = express.program.length;
await store.program.kill();
await screen.run("clear; echo without redis", /^without redis$/m);
await express.program.says(/\[Redis\].*/, since);
since = express.program.length;
const again = await redis(store.port);
const [line] = await express.program.says(/\[Redis\] Connected.*/, since);
await screen.run("clear; echo with redis", /^with redis$/m);
ok("Redis is killed, and started again", `the terminal goes on; the backend says ${line}`);

// The gateway stands still: nothing is closed, nothing answers.
cloud.program.process.kill("SIGSTOP");
await page.clock.fastForward(30_000);
await page.clock.fastForward(30_000);
await screen.phase("waiting", "connecting");
cloud.program.process.kill("SIGCONT");
await page.clock.fastForward(60_000);
await screen.shows(/\[connected again, the session goes on\]/);
await screen.run("clear; echo alive", /^alive$/m);
ok("the network is silent", "the page notices without being told, and connects again");

if (SCREENSHOT) {
  await page.setViewportSize({ width: 820, height: 330 });
  await screen.run("clear; mkdir -p app && touch app/main.rs notes.txt; echo ready", /^ready$/m);
  await screen.type("clear");
  await screen.run("ls -la --color", /notes\.txt/);
  await screen.run("grep -c processor /proc/cpuinfo && echo $TERM", /xterm/);
  await screen.run("for n in 1 2 3; do echo $n; sleep 0.1; done", /^3$/m);
  await page.screenshot({ path: SCREENSHOT });
  ok("a picture", SCREENSHOT);
}
await browser.close();
for (const program of [cloud.program, express.program, again.program]) await program.kill();
ok("the end", "everything is stopped");
