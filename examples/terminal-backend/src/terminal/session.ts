/** One user's terminal: it outlives connections, and hands each of them the text from where it was. */

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { log, programOf, quoted, reason, warn } from "../log.js";
import type { Command, CommandResult, Ended, ErrorReply, Input, Output, Poll, Resize, Resume, ServerMessage } from "../protocol.js";
import type { Push } from "../push.js";
import type { SavedSession } from "../store/store.js";
import type { Confinement, Place } from "./confinement.js";
import type { Mark } from "./marker.js";
import { Shell } from "./shell.js";
import { Transcript } from "./transcript.js";

/** Bytes of text in an answer, which may be 128 KB in all, and in a message that is pushed, which should fit a frame of 32 KB. */
const ANSWER = 96 * 1024;
const PUSHED = 24 * 1024;
/** Milliseconds that more text is waited for, so that not each of a program's writes is a message. */
const GATHER = 50;
/** Milliseconds to wait for the end of a command, where the client does not say: with push the rest comes anyway. */
const PATIENCE = { withPush: 1000, withoutPush: 10_000 };
/** Milliseconds that keys may take to show. */
const ECHO = 150;
/** Milliseconds from Ctrl-C to the end of the whole terminal. */
const GRACE = 2000;
/** Milliseconds without pushing after it failed. */
const PAUSE = 5000;
/** Code units of what was printed that are saved. */
const SAVED = 16 * 1024;

export interface SessionOptions {
  confinement: Confinement;
  push: Push;
  commandSeconds: number;
  outputKb: number;
  logCommands: boolean;
}

/** A command, from its start. */
interface Run {
  id: string;
  result?: { exitCode: number; ended?: Ended };
  ended?: Ended;
  timer: NodeJS.Timeout;
}

/** A connection of the session. */
interface Attached {
  connectionId: string;
  heard: number;
  /** The offset behind what it was sent. */
  sent: number;
  /** The last command whose end it was told. */
  told: Run | undefined;
  /** Requests that are being answered with text: meanwhile nothing is pushed. */
  answering: number;
  pushing: boolean;
}

export class Session {
  heard = Date.now();
  cols = 80;
  rows = 24;
  cwd = "~";
  readonly #terminal = randomUUID().slice(0, 8);
  readonly #transcript = new Transcript();
  readonly #attached = new Map<string, Attached>();
  readonly #waiting = new Set<() => void>();
  #place: Place | undefined;
  #shell: Shell | undefined;
  /** The end of a shell that was not asked: everything in its place is killed, so none begins meanwhile. */
  #ending: Promise<void> = Promise.resolve();
  #run: Run | undefined;
  #last: Run | undefined;
  /** Code units that were printed since the last command began. */
  #printed = 0;
  #over = false;

  /** `saved`: what another process knew of it. `changed`: called when `saved` has changed. */
  constructor(
    private readonly options: SessionOptions,
    saved: SavedSession | null,
    private readonly changed: () => void,
  ) {
    if (saved === null) return;
    ({ cols: this.cols, rows: this.rows, cwd: this.cwd } = saved);
    const lost = saved.running === null ? "" : ": the command that ran is gone";
    this.#transcript.append(`${saved.screen}\r\n[the terminal was started anew${lost}]\r\n`);
  }

  /** What another process needs to begin it anew. */
  get saved(): SavedSession {
    const { cols, rows, cwd } = this;
    return { cols, rows, cwd, screen: this.#transcript.tail(SAVED), running: this.#run?.id ?? null };
  }

  get connections(): string[] {
    return [...this.#attached.keys()];
  }

  /** A message came by this connection. */
  hear(connectionId: string): void {
    this.heard = Date.now();
    const known = this.#attached.get(connectionId);
    if (known !== undefined) known.heard = this.heard;
    else this.#attached.set(connectionId, { connectionId, heard: this.heard, sent: this.#transcript.end, told: this.#last, answering: 0, pushing: false });
  }

  /** A connection has ended. */
  detach(connectionId: string): void {
    this.#attached.delete(connectionId);
  }

  /** Answers a message; null: there is nothing to say. */
  async answer(connectionId: string, message: Command | Input | Resize | Resume | Poll): Promise<ServerMessage | null> {
    this.hear(connectionId);
    const attached = this.#attached.get(connectionId);
    if (attached === undefined || this.#over) return failed("shutting_down", "the session ends: try again in a moment");
    if (message.type === "resize") return this.#resize(message);
    attached.answering += 1;
    try {
      switch (message.type) {
        case "command":
          return await this.#command(attached, message);
        case "input":
          return await this.#input(attached, message);
        case "resume":
          return this.#resume(attached, message);
        case "poll":
          return await this.#poll(attached, message);
      }
    } finally {
      attached.answering -= 1;
      this.#push(attached);
    }
  }

  /** Ends everything that runs and removes the files. */
  async end(): Promise<void> {
    this.#over = true;
    this.#finish({ exitCode: 137, ended: "terminal_closed" });
    this.#wake();
    await this.#ending;
    await this.#shell?.end();
    await this.#place?.clear();
    this.#attached.clear();
  }

  async #command(attached: Attached, { command, cwd, id = randomUUID().slice(0, 8), wait }: Command): Promise<ServerMessage> {
    await this.#ending;
    if (this.#run !== undefined) return { ...failed("busy", "a command runs: wait for it, or end it with the input \\u0003"), id };
    try {
      this.#shell ??= this.#start();
      this.#shell.run(command, cwd);
    } catch (error) {
      warn(`[Terminal] No shell: ${reason(error)}`);
      return { ...failed("no_terminal", "no command can be run here now: the log of the backend says why"), id };
    }
    log(`[Terminal] Executing: ${this.options.logCommands ? quoted(command) : programOf(command)}`);
    const timer = setTimeout(() => {
      this.#stop("time_limit");
    }, this.options.commandSeconds * 1000);
    const run: Run = { id, timer };
    this.#run = run;
    this.#printed = 0;
    this.changed();
    await this.#until(() => run.result !== undefined, wait ?? (this.options.push.works ? PATIENCE.withPush : PATIENCE.withoutPush));
    if (run.result !== undefined) return this.#result(attached, run, ANSWER);
    const { data, ...place } = this.#take(attached, ANSWER);
    return { type: "command_running", id, output: data, ...place, push: this.options.push.works };
  }

  async #input(attached: Attached, { data, id }: Input): Promise<ServerMessage | null> {
    if (this.#run === undefined) return { ...failed("not_running", "no command runs that could read this"), ...(id === undefined ? {} : { id }) };
    this.#shell?.input(data);
    if (id !== undefined) return { type: "input_ack", id };
    if (this.options.push.works) return null;
    await this.#until(() => this.#hasNews(attached), ECHO);
    return this.#hasNews(attached) ? this.#news(attached, ANSWER) : null;
  }

  #resize({ cols, rows }: Resize): ServerMessage {
    [this.cols, this.rows] = [cols, rows];
    this.#shell?.resize(cols, rows);
    this.changed();
    return { type: "resize_ack", cols, rows };
  }

  #resume(attached: Attached, { offset = 0 }: Resume): ServerMessage {
    attached.sent = Math.min(offset, this.#transcript.end);
    attached.told = this.#last;
    const last = this.#last?.result === undefined ? null : { id: this.#last.id, ...this.#last.result };
    const { cwd, cols, rows } = this;
    return { type: "resumed", ...this.#take(attached, ANSWER), running: this.#run?.id ?? null, last, cwd, cols, rows, push: this.options.push.works };
  }

  async #poll(attached: Attached, { offset, wait = 10_000 }: Poll): Promise<ServerMessage> {
    attached.sent = Math.min(offset, this.#transcript.end);
    await this.#until(() => this.#hasNews(attached), wait);
    // The end of a command is worth no waiting, more text is.
    if (attached.told === this.#last) await this.#until(() => attached.told !== this.#last, GATHER);
    return this.#news(attached, ANSWER);
  }

  #start(): Shell {
    this.#place ??= this.options.confinement.place();
    return new Shell(this.#place, this, {
      ready: (cwd) => {
        this.cwd = cwd;
      },
      text: (data) => {
        this.#print(data);
      },
      done: ({ exitCode, cwd }: Mark) => {
        this.cwd = cwd;
        this.#finish({ exitCode });
      },
      closed: (exitCode) => {
        this.#shell = undefined;
        void this.#ending.then(() => {
          this.#finish({ exitCode, ended: "terminal_closed" });
        });
      },
    });
  }

  #print(data: string): void {
    const limit = this.options.outputKb * 1024;
    if (this.#printed > limit) return;
    this.#printed += data.length;
    this.#transcript.append(data);
    if (this.#printed > limit) {
      // Nothing more is kept until the next command.
      this.#transcript.append(`\r\n[ended: more than ${this.options.outputKb} KB of output]\r\n`);
      this.#stop("output_limit");
    }
    this.#wake();
  }

  /** Ends what runs: the command if it lets itself be interrupted, otherwise the terminal. */
  #stop(why: Ended): void {
    const [shell, run] = [this.#shell, this.#run];
    if (shell === undefined) return;
    if (run === undefined) {
      this.#ending = shell.end();
      return;
    }
    run.ended = why;
    shell.interrupt();
    setTimeout(() => {
      if (this.#run === run) this.#ending = shell.end();
    }, GRACE).unref();
  }

  #finish({ exitCode, ended }: { exitCode: number; ended?: Ended }): void {
    const run = this.#run;
    if (run === undefined) return;
    clearTimeout(run.timer);
    const why = run.ended ?? ended;
    run.result = { exitCode: why === "time_limit" ? 124 : exitCode, ...(why === undefined ? {} : { ended: why }) };
    this.#run = undefined;
    this.#last = run;
    this.#wake();
  }

  /** The text that a connection has not got yet, counted as sent. */
  #take(attached: Attached, bytes: number): { terminal: string; offset: number; data: string; skipped?: number; more?: boolean } {
    const { offset, data, skipped, next } = this.#transcript.read(attached.sent, bytes);
    attached.sent = next;
    return { terminal: this.#terminal, offset, data, ...(skipped > 0 ? { skipped } : {}), ...(next < this.#transcript.end ? { more: true } : {}) };
  }

  #hasNews(attached: Attached): boolean {
    return attached.sent < this.#transcript.end || attached.told !== this.#last || this.#over;
  }

  /** What a connection has not got yet: text, and with the last of it how the command ended. */
  #news(attached: Attached, bytes: number): Output | CommandResult {
    const last = this.#last;
    if (last !== undefined && attached.told !== last) {
      const result = this.#result(attached, last, bytes);
      if (result.more !== true) return result;
      attached.told = undefined;
      const { terminal, offset, output, skipped } = result;
      return { type: "output", terminal, offset, data: output, ...(skipped === undefined ? {} : { skipped }), more: true, running: false };
    }
    return { type: "output", ...this.#take(attached, bytes), running: this.#run !== undefined };
  }

  #result(attached: Attached, run: Run, bytes: number): CommandResult {
    const { data, ...place } = this.#take(attached, bytes);
    attached.told = run;
    return { type: "command_result", id: run.id, output: data, ...place, ...(run.result ?? { exitCode: -1 }), cwd: this.cwd };
  }

  /** Sends a connection what it has not got yet, one message after the other. */
  #push(attached: Attached): void {
    if (!this.options.push.isSet || attached.pushing || !this.#hasNews(attached)) return;
    attached.pushing = true;
    const goOn = () => !this.#over && attached.answering === 0 && this.#attached.get(attached.connectionId) === attached && this.#hasNews(attached);
    const work = async () => {
      await sleep(GATHER);
      while (goOn()) {
        const { sent, told } = attached;
        try {
          if (!(await this.options.push.send(attached.connectionId, this.#news(attached, PUSHED)))) this.detach(attached.connectionId);
        } catch {
          [attached.sent, attached.told] = [sent, told];
          await sleep(PAUSE, undefined, { ref: false });
        }
      }
    };
    void work().finally(() => {
      attached.pushing = false;
    });
  }

  /** Waits until something is so, or for so many milliseconds. */
  async #until(so: () => boolean, milliseconds: number): Promise<void> {
    const deadline = Date.now() + milliseconds;
    while (!so() && !this.#over) {
      const left = deadline - Date.now();
      if (left <= 0) return;
      await new Promise<void>((resolve) => {
        const wake = () => {
          clearTimeout(timer);
          this.#waiting.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, left);
        this.#waiting.add(wake);
      });
    }
  }

  #wake(): void {
    this.changed();
    for (const wake of [...this.#waiting]) wake();
    for (const attached of this.#attached.values()) this.#push(attached);
  }
}

function failed(code: ErrorReply["code"], message: string): ErrorReply {
  return { type: "error", code, message };
}
