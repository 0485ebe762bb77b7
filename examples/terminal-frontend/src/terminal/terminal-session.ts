import type { Closed, Connected, Message, Trouble } from "@/hooks/gateway-socket.mjs";

import { LineEditor } from "./line-editor.ts";
import type { Paper } from "./line-editor.ts";
import { OutputStream } from "./output-stream.ts";
import type { Place } from "./output-stream.ts";

/** Milliseconds. */
const TIMES = {
  /** What a command printed by then is shown; if it has not ended, the rest follows. */
  first: 500,
  /** The backend may hold a question for more output so long. */
  wait: 10_000,
  /** Nothing came while a command ran: something was lost on its way. */
  silence: 15_000,
  /** A piece of output that overtook another one: that is probably on its way. */
  gap: 300,
  /** After an error, before the first new question; it doubles up to `longestPause`. */
  pause: 500,
  longestPause: 8_000,
};

const dim = (text: string): string => `\x1b[90m${text}\x1b[0m\r\n`;
const red = (text: string): string => `\x1b[31m${text}\x1b[0m\r\n`;

/**
 * A terminal between a screen and a backend: what is typed, what is sent for it, and what is shown of what comes.
 * The message shapes are those of `examples/terminal-backend`; of them, `ping`, `command` and `resize` are enough.
 */
export class TerminalSession {
  readonly #editor: LineEditor;
  readonly #stream = new OutputStream();
  #cwd = "";
  /** The id of the command that runs. */
  #running: string | null = null;
  /** The backend has said that it runs: before, keys for it could arrive before the command. */
  #begun = false;
  #ids = 0;
  /** The backend was asked where the session is, and has not answered. */
  #resuming = false;
  /** The backend knows no sessions that go on: it has answered `resume` with `unknown_type`. */
  #plain = false;
  /** The backend sends output by itself; otherwise it is asked for. */
  #pushes = false;
  #asked = false;
  /** A piece that came too early was left out: it will be asked for. */
  #gap = false;
  #again: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  /** The last error that was shown: the same one again says nothing new. */
  #shown = "";
  /** Keys for the program that runs, which wait until those before have arrived: messages overtake each other. */
  #keys = "";
  #keysSent: string | null = null;
  /** The cursor is at the start of a row. */
  #fresh = true;

  constructor(
    private readonly paper: Paper,
    private readonly send: (message: Message) => boolean,
  ) {
    this.#editor = new LineEditor(paper, (line) => {
      this.#run(line);
    });
  }

  /** Keys, as the screen has them. */
  typed(data: string): void {
    if (this.#running === null) this.#editor.feed(data);
    else {
      this.#keys += data;
      this.#sendKeys();
    }
  }

  connected(how: Connected): void {
    if (how === "again") this.#notice(dim("[connected again, the session goes on]"));
    // On every new connection: the backend learns where the output goes now, and sends what has not been seen.
    if (this.#plain) this.#prompt();
    else this.#resume();
  }

  disconnected(closed: Closed): void {
    clearTimeout(this.#again);
    this.#editor.hide();
    this.#print(dim(`[${closed.text}]`));
  }

  /** Nothing is sent or asked for any more. */
  dispose(): void {
    clearTimeout(this.#again);
  }

  trouble({ code, message }: Trouble): void {
    // An attempt to connect that failed is shown in the page's head; and some backends have no `resume`.
    // Keys came too late for the program.
    const silent = ["refused", "timeout", "token", "not_running"].includes(code) || (code === "unknown_type" && (this.#resuming || this.#plain));
    if (!silent && message !== this.#shown) this.#notice(red(`[${message}]`));
    if (!silent) this.#shown = message;
    // Not every error comes as a message, and not every one says what it answers: the backend knows.
    if (code !== "unknown_type" && (this.#running !== null || this.#resuming)) this.#retry();
  }

  received(message: Message): void {
    if (message.type !== "error" && message.message === undefined) this.#shown = "";
    switch (message.type) {
      case "output":
        this.#asked = false;
        if (this.#output(message, message.data)) this.#more(message.more === true);
        break;
      case "command_running":
        this.#pushes = message.push === true;
        this.#begun = true;
        this.#sendKeys();
        if (this.#output(message, message.output)) this.#more(false);
        break;
      case "command_result":
        this.#asked = false;
        // That of another window of the same session is output like any other.
        if (this.#output(message, message.output) && (message.id === undefined || message.id === this.#running)) this.#ended(message);
        break;
      case "input_ack":
        if (message.id === this.#keysSent) this.#keysArrived();
        break;
      case "resumed":
        this.#resumed(message);
        break;
      case "error":
        this.#refused(message);
        break;
      default: // pong, resize_ack
    }
  }

  #run(line: string): void {
    if (line.trim() === "") {
      this.#prompt();
      return;
    }
    this.#running = this.#id("c");
    this.#begun = false;
    this.#fresh = true;
    this.#resumeIn(TIMES.silence);
    if (this.send({ action: "sendMessage", type: "command", command: line, id: this.#running, wait: TIMES.first })) return;
    clearTimeout(this.#again);
    this.#running = null;
    this.#print(red("[not connected; the command was not sent]"));
    this.#prompt();
  }

  #sendKeys(): void {
    if (!this.#begun || this.#keysSent !== null || this.#keys === "") return;
    this.#keysSent = this.#id("k");
    if (this.send({ action: "sendMessage", type: "input", data: this.#keys, id: this.#keysSent })) this.#keys = "";
    else this.#keysSent = null;
  }

  #keysArrived(): void {
    this.#keysSent = null;
    if (this.#running !== null) this.#sendKeys();
  }

  #id(kind: string): string {
    return `${kind}${++this.#ids}-${Date.now().toString(36)}`;
  }

  #resume(): void {
    clearTimeout(this.#again);
    const { printed } = this.#stream;
    this.#resuming = this.send({ action: "sendMessage", type: "resume", ...(printed === undefined ? {} : { offset: printed }) });
    if (this.#resuming) this.#resumeIn(TIMES.silence);
  }

  #resumeIn(ms: number): void {
    clearTimeout(this.#again);
    if (!this.#plain) this.#again = setTimeout(() => this.#resume(), ms);
  }

  #retry(): void {
    this.#resumeIn(Math.min(TIMES.pause * 2 ** this.#failures++, TIMES.longestPause));
  }

  #resumed(message: Message): void {
    clearTimeout(this.#again);
    this.#resuming = this.#asked = this.#gap = false;
    this.#failures = 0;
    this.#pushes = message.push === true;
    this.#cwd = text(message.cwd) ?? this.#cwd;
    this.#output(message, message.data);
    const last = message.last as Message | null | undefined;
    const ended = this.#running !== null && last?.id === this.#running ? last : null;
    this.#running = text(message.running);
    this.#begun = true;
    this.#keysArrived();
    if (ended) this.#ended(ended);
    else if (this.#running === null) this.#prompt();
    else this.#more(false);
  }

  /** Asks for more output, where it does not come by itself. */
  #more(there: boolean): void {
    if (this.#running !== null && !this.#gap) this.#resumeIn(TIMES.silence);
    if (this.#asked || this.#pushes || (this.#running === null && !there)) return;
    this.#asked = this.send({ action: "sendMessage", type: "poll", offset: this.#stream.printed ?? 0, wait: there ? 0 : TIMES.wait });
  }

  /** Prints what is new. `false`: something before it is missing, and was asked for. */
  #output(place: Place, data: unknown): boolean {
    const piece = this.#stream.take(place, text(data) ?? "");
    if (piece.gap) {
      this.#gap = true;
      this.#resumeIn(TIMES.gap);
      return false;
    }
    const shown = this.#editor.shown;
    if (!piece.fresh && piece.skipped === 0 && piece.text === "") return true;
    this.#editor.hide();
    if (piece.fresh) this.#print(dim("[a new terminal: the one before has ended]"));
    if (piece.skipped > 0) this.#print(dim(`[${piece.skipped} characters are not kept any more]`));
    this.#print(piece.text);
    if (shown) this.#prompt();
    return true;
  }

  #ended(result: Message): void {
    clearTimeout(this.#again);
    this.#gap = false;
    this.#cwd = text(result.cwd) ?? this.#cwd;
    this.#running = null;
    if (result.exitCode !== 0) this.#notice(dim(`[exit ${String(result.exitCode)}${ending(result.ended)}]`));
    this.#prompt();
  }

  /** An error as a message; what it says has been shown. */
  #refused({ code, id }: Message): void {
    this.#asked = false;
    if (code === "unknown_type" && this.#resuming) {
      this.#plain = true;
      this.#resuming = false;
      clearTimeout(this.#again);
    }
    // It was the answer to the command: this one did not begin.
    if (this.#plain || (id !== undefined && id === this.#running)) this.#running = null;
    if (id === this.#keysSent) this.#keysArrived();
    if (code === "busy") this.#resume(); // to what runs
    else if (!this.#resuming) this.#prompt();
  }

  #prompt(): void {
    if (this.#editor.shown || this.#running !== null) return;
    this.#line();
    this.#editor.show(`${this.#cwd === "" ? "" : `${this.#cwd} `}$ `);
    const early = this.#keys;
    this.#keys = "";
    if (early !== "") this.#editor.feed(early);
  }

  /** A line of our own, in a row of its own. */
  #notice(line: string): void {
    const shown = this.#editor.shown;
    this.#editor.hide();
    this.#print(line);
    if (shown) this.#prompt();
  }

  #line(): void {
    if (!this.#fresh) this.paper.write("\r\n");
    this.#fresh = true;
  }

  #print(output: string): void {
    if (output.startsWith("\x1b[90m[") || output.startsWith("\x1b[31m[")) this.#line();
    this.paper.write(output);
    if (output !== "") this.#fresh = output.endsWith("\n");
  }
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function ending(why: unknown): string {
  const known = new Map([
    ["time_limit", ": its time was over"],
    ["output_limit", ": too much output"],
    ["terminal_closed", ": its terminal was closed"],
  ]);
  return known.get(text(why) ?? "") ?? "";
}
