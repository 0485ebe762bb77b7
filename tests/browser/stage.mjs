// What the browser talks to: programs that are started here, and ended with this process.

import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join } from "node:path";

/** Nothing here takes longer, on the slowest machine. */
const PATIENCE = 60_000;

const running = new Set();
process.on("exit", () => running.forEach((program) => program.process.kill("SIGKILL")));

/** A program that was started. */
export class Program {
  #said = "";
  #wake = () => {};

  constructor(name, command, args, options) {
    this.name = name;
    this.process = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
    running.add(this);
    this.ended = new Promise((resolve) => this.process.once("close", resolve));
    void this.ended.then(() => (running.delete(this), this.#wake()));
    this.process.once("error", (error) => (this.#said += error.message));
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => ((this.#said += text), this.#wake()));
    }
  }

  /** Waits until it has said this; answers with the match. What was said before `since` does not count. */
  async says(pattern, since = 0) {
    let late = false;
    const timer = setTimeout(() => ((late = true), this.#wake()), PATIENCE);
    try {
      return await this.#wait(pattern, since, () => late);
    } finally {
      clearTimeout(timer);
    }
  }

  async #wait(pattern, since, late) {
    for (;;) {
      const found = this.#said.slice(since).match(pattern);
      if (found) return found;
      const gone = this.process.exitCode !== null || this.process.signalCode !== null;
      if (gone || late()) throw new Error(`${this.name} ${gone ? "ended" : "never said"} ${pattern}:\n${this.#said.slice(-2000)}`);
      await new Promise((resolve) => (this.#wake = resolve));
    }
  }

  /** How much it has said. */
  get length() {
    return this.#said.length;
  }

  get said() {
    return this.#said;
  }

  /** Ends it at once, and waits until it is gone. */
  async kill() {
    this.process.kill("SIGKILL");
    await this.ended;
  }
}

/** The front end's files, on a free port. */
export async function serve(root) {
  const types = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".txt": "text/plain" };
  const server = createServer(async ({ url }, response) => {
    const path = new URL(url, "http://localhost").pathname;
    const file = join(root, path === "/" ? "index.html" : extname(path) === "" ? `${path}.html` : path);
    try {
      const body = await readFile(file);
      response.setHeader("content-type", types[extname(file)] ?? "application/octet-stream").end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.unref();
  return `http://127.0.0.1:${server.address().port}`;
}

/** A port that was free a moment ago. */
async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Redis, on a port that stays the same when it is started again. */
export async function redis(port) {
  for (let attempt = 0; ; attempt++) {
    const chosen = port ?? (await freePort());
    const program = new Program("redis", "redis-server", ["--port", chosen, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"], { cwd: "/" });
    try {
      await program.says(/Ready to accept connections/);
      return { program, port: chosen, url: `redis://127.0.0.1:${chosen}` };
    } catch (error) {
      // Somebody was faster.
      if (port !== undefined || attempt > 5) throw error;
    }
  }
}

/** `wsfix dev`, once it serves: what it prints as JSON. */
export async function dev(tool, args, environment) {
  const program = new Program("wsfix dev", tool, ["dev", "--port", "0", "--output", "json", ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment },
    cwd: environment.folder,
  });
  const [document] = await program.says(/^\{\n {2}"command": "dev",[^]*?^\}$/m);
  return { program, ...JSON.parse(document).result };
}

/** The example backend, once it listens. */
export async function backend(folder, environment) {
  const program = new Program("backend", "node", [join(folder, "dist/server.js")], { env: { PATH: process.env.PATH, ...environment } });
  const [, port] = await program.says(/listening on port (\d+)/);
  return { program, port, url: `http://127.0.0.1:${port}` };
}
