/**
 * What a client and this backend say to each other. The README shows it in words; a client may copy this file.
 *
 * Every message with terminal text says where the text begins: `offset` counts UTF-16 code units (a JavaScript string's `length`) since the
 * terminal `terminal` began. A client keeps one number, the offset behind what it has printed, and prints only what lies beyond it.
 */

/** Answered with `pong`. Keeps the connection and the session from being idle. */
export interface Ping {
  type: "ping";
  id?: string;
}

/** Runs a command line in the session's shell. Answered with `command_result`, or with `command_running` where it takes long. */
export interface Command {
  type: "command";
  command: string;
  /** Comes back in what answers it; made up where it is missing. */
  id?: string;
  /** The directory to change to first. */
  cwd?: string;
  /** Milliseconds to wait for the end before `command_running` is answered. */
  wait?: number;
}

/**
 * Keys for the program that runs: `\x03` is Ctrl-C. Answered with nothing, or with the `output` or `command_result` that follows at once; where it
 * has an `id`, with `input_ack` at once. Messages may overtake each other: who types fast sends the next keys when the answer is there.
 */
export interface Input {
  type: "input";
  data: string;
  id?: string;
}

/** Answered with `resize_ack`. */
export interface Resize {
  type: "resize";
  cols: number;
  rows: number;
}

/** Goes on with a session after a reconnect. Answered with `resumed`. */
export interface Resume {
  type: "resume";
  /** The offset behind what the client has printed; missing: all that is kept. */
  offset?: number;
}

/** Asks for more output, where none is pushed. Answered with `output`, or with `command_result` after the last of it. */
export interface Poll {
  type: "poll";
  offset: number;
  /** Milliseconds to wait where there is nothing new. */
  wait?: number;
}

export type ClientMessage = Ping | Command | Input | Resize | Resume | Poll;

export interface Pong {
  type: "pong";
  id?: string;
  /** Epoch milliseconds. */
  timestamp: number;
}

/** Where text is. */
interface Place {
  /** Which terminal: another one than before means that the session began anew (a restart, an idle end), and `offset` with it. */
  terminal: string;
  offset: number;
  /** Code units before `offset` that nobody will get: more was printed than is kept. */
  skipped?: number;
  /** There is more text already: it is pushed, or wants a `poll`. */
  more?: boolean;
}

export interface Output extends Place {
  type: "output";
  data: string;
  /** Whether a command runs. */
  running: boolean;
}

export interface CommandRunning extends Place {
  type: "command_running";
  id: string;
  output: string;
  /** Whether the rest comes by itself; otherwise `poll`. */
  push: boolean;
}

export interface CommandResult extends Place {
  type: "command_result";
  id: string;
  output: string;
  /** As the shell has it: 130 after Ctrl-C, 124 where the time limit ended it. */
  exitCode: number;
  cwd: string;
  ended?: Ended;
}

/** Why a command was ended before it was done. */
export type Ended = "time_limit" | "output_limit" | "terminal_closed";

export interface InputAck {
  type: "input_ack";
  id: string;
}

export interface ResizeAck {
  type: "resize_ack";
  cols: number;
  rows: number;
}

export interface Resumed extends Place {
  type: "resumed";
  data: string;
  /** The id of the command that runs. */
  running: string | null;
  /** The command that ended last: its result may have been lost with the connection. */
  last: { id: string; exitCode: number; ended?: Ended } | null;
  cwd: string;
  cols: number;
  rows: number;
  push: boolean;
}

export type ErrorCode =
  | "bad_request"
  | "unknown_type"
  /** A command runs already. */
  | "busy"
  /** No command runs that could read the input. */
  | "not_running"
  | "too_many_sessions"
  /** No shell can be started here. */
  | "no_terminal"
  /** The process of the backend that has the session does not answer; try again in a moment. */
  | "unavailable"
  /** The backend ends; try again in a moment. */
  | "shutting_down";

export interface ErrorReply {
  type: "error";
  code: ErrorCode;
  message: string;
  id?: string;
}

export type ServerMessage = Pong | Output | CommandRunning | CommandResult | InputAck | ResizeAck | Resumed | ErrorReply;

/** Who a message is from, as the handler vouches for it in the signed body. */
export interface Sender {
  connectionId: string;
  sessionId: string;
  /** The token's `sub`. */
  userId: string | null;
}

/** Longest command line, in UTF-16 code units. */
export const LONGEST_COMMAND = 32_768;
/** Most columns and rows. */
export const LARGEST_SIZE = 1000;
/** Longest wait, in milliseconds: the handler waits 20 s for an answer. */
export const LONGEST_WAIT = 15_000;

type Fields = Record<string, unknown>;

export function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The JSON object that a text is, or null. */
export function parseObject(text: string): Fields | null {
  try {
    const found: unknown = JSON.parse(text);
    return isObject(found) ? found : null;
  } catch {
    return null;
  }
}

/** The client's message in a body, or what is wrong with it, to be told to the client. */
export function parseMessage(body: Fields): ClientMessage | ErrorReply {
  const id = body["id"] === undefined ? {} : { id: body["id"] };
  if (id.id !== undefined && !isText(id.id, 1, 64)) return bad("id must be a text of 1 to 64 characters");
  const named = id as { id?: string };
  const wait = body["wait"] === undefined ? {} : { wait: body["wait"] };
  if (wait.wait !== undefined && !isWhole(wait.wait, 0, LONGEST_WAIT)) return bad(`wait must be a number from 0 to ${LONGEST_WAIT}`);
  const timed = wait as { wait?: number };
  switch (body["type"]) {
    case "ping":
      return { type: "ping", ...named };
    case "command": {
      const { command, cwd } = body;
      if (!isText(command, 0, LONGEST_COMMAND)) return bad(`command must be a text of at most ${LONGEST_COMMAND} characters`, named);
      if (cwd === undefined) return { type: "command", command, ...named, ...timed };
      if (!isText(cwd, 1, 4096)) return bad("cwd must be a text of 1 to 4096 characters", named);
      return { type: "command", command, cwd, ...named, ...timed };
    }
    case "input": {
      const { data } = body;
      return isText(data, 1, LONGEST_COMMAND) ? { type: "input", data, ...named } : bad(`data must be a text of 1 to ${LONGEST_COMMAND} characters`, named);
    }
    case "resize": {
      const { cols, rows } = body;
      if (!isWhole(cols, 1, LARGEST_SIZE) || !isWhole(rows, 1, LARGEST_SIZE)) return bad(`cols and rows must be numbers from 1 to ${LARGEST_SIZE}`);
      return { type: "resize", cols, rows };
    }
    case "resume":
    case "poll": {
      const { type, offset } = body;
      if (offset === undefined && type === "resume") return { type };
      if (!isWhole(offset, 0, Number.MAX_SAFE_INTEGER)) return bad("offset must be a number from 0");
      return type === "resume" ? { type, offset } : { type, offset, ...timed };
    }
    default:
      return { type: "error", code: "unknown_type", message: "type must be ping, command, input, resize, resume or poll", ...named };
  }
}

function bad(message: string, named: { id?: string } = {}): ErrorReply {
  return { type: "error", code: "bad_request", message, ...named };
}

function isText(value: unknown, least: number, most: number): value is string {
  // A NUL can be in no argument and no file name, and ends what a shell reads.
  return typeof value === "string" && value.length >= least && value.length <= most && !value.includes("\0");
}

function isWhole(value: unknown, least: number, most: number): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= least && value <= most;
}

/** Who sent a body, or null: then it is not from the handler. */
export function parseSender(body: Fields): Sender | null {
  const { connectionId, sessionId, userId } = body;
  if (typeof connectionId !== "string" || connectionId === "" || typeof sessionId !== "string") return null;
  return { connectionId, sessionId, userId: typeof userId === "string" ? userId : null };
}
