// `npm run dev`: Next.js, and a link with which the page connects to the local cloud of `wsfix dev`.

import { spawn } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";

const cloud = process.env.WSFIX_DEV_URL ?? "http://127.0.0.1:4577";
const port = process.env.PORT ?? "3000";

/** What the page of `wsfix dev` connects to; waits until it is there. */
async function access() {
  for (let attempt = 0; ; attempt++) {
    const given = await fetch(cloud, { headers: { accept: "application/json" } }).then((response) => response.json(), () => null);
    if (given?.token) return given;
    if (attempt === 0) console.info(`waiting for \`wsfix dev\` at ${cloud}; WSFIX_DEV_URL names another address`);
    await pause(1000);
  }
}

const { url, sessionId, token } = await access();
const next = spawn("next", ["dev", "--hostname", "127.0.0.1", "--port", port], { stdio: "inherit" });
next.on("exit", (code) => process.exit(code ?? 1));
console.info(`\nThe terminal, for this machine alone, as the link has a token:\nhttp://127.0.0.1:${port}/#${new URLSearchParams({ url, sessionId, token })}\n`);
