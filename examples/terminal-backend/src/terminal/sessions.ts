/** All sessions: which belongs to whom, how many there may be, and when one has been silent for too long. */

import { log, quoted } from "../log.js";
import type { ClientMessage, ErrorReply, Sender, ServerMessage } from "../protocol.js";
import { Session, type SessionOptions } from "./session.js";

export interface SessionsOptions extends SessionOptions {
  /** `$disconnect` is best effort: a session ends when nothing was heard of it for so long. Clients ping. */
  idleSeconds: number;
  maxSessions: number;
  maxSessionsPerUser: number;
}

/** A session, and who it belongs to. */
interface Entry {
  key: string;
  owner: string;
  name: string;
  session: Session;
}

export class Sessions {
  readonly #entries = new Map<string, Entry>();
  readonly #timer: NodeJS.Timeout;
  #closed = false;

  constructor(private readonly options: SessionsOptions) {
    this.#timer = setInterval(() => void this.endIdle(), Math.min(options.idleSeconds * 250, 30_000)).unref();
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Answers a message; null: there is nothing to say. */
  async answer(sender: Sender, message: ClientMessage): Promise<ServerMessage | null> {
    const key = keyOf(sender);
    if (message.type === "ping") {
      this.#entries.get(key)?.session.hear(sender.connectionId);
      return { type: "pong", ...(message.id === undefined ? {} : { id: message.id }), timestamp: Date.now() };
    }
    if (this.#closed) return { type: "error", code: "shutting_down", message: "the backend ends: try again in a moment" };
    const entry = this.#entries.get(key) ?? (await this.#open(key, sender));
    return "session" in entry ? entry.session.answer(sender.connectionId, message) : entry;
  }

  /** A connection has ended; its session goes on. */
  disconnected(connectionId: string): void {
    for (const { session } of this.#entries.values()) session.detach(connectionId);
  }

  /** Ends the sessions that nobody was heard of for too long. */
  async endIdle(now = Date.now()): Promise<void> {
    const idle = [...this.#entries.values()].filter(({ session }) => now - session.heard > this.options.idleSeconds * 1000);
    for (const entry of idle) log(`[Terminal] Session ended: ${quoted(entry.name)}, idle for ${this.options.idleSeconds} s`);
    await Promise.all(idle.map((entry) => this.#end(entry)));
  }

  /** Ends all of them; none begins after that. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await Promise.all([...this.#entries.values()].map((entry) => this.#end(entry)));
  }

  async #open(key: string, { userId, sessionId }: Sender): Promise<Entry | ErrorReply> {
    const owner = JSON.stringify(userId);
    const own = [...this.#entries.values()].filter((entry) => entry.owner === owner).sort((one, other) => one.session.heard - other.session.heard);
    if (own.length >= this.options.maxSessionsPerUser) {
      // One that nobody is connected to any more makes room.
      const left = own.find(({ session }) => session.connections.length === 0);
      if (left === undefined) return tooMany(`you have ${own.length} sessions: close one, or wait until it is idle`);
      await this.#end(left);
    }
    if (this.#entries.size >= this.options.maxSessions) return tooMany("there are too many sessions: try again later");
    const known = this.#entries.get(key); // made while another one ended
    if (known !== undefined) return known;
    const entry = { key, owner, name: sessionId, session: new Session(this.options) };
    this.#entries.set(key, entry);
    return entry;
  }

  async #end(entry: Entry): Promise<void> {
    if (this.#entries.get(entry.key) === entry) this.#entries.delete(entry.key);
    await entry.session.end();
  }
}

/** A session belongs to a user: the same name with another user is another session. */
function keyOf({ userId, sessionId }: Sender): string {
  return JSON.stringify([userId, sessionId]);
}

function tooMany(message: string): ErrorReply {
  return { type: "error", code: "too_many_sessions", message };
}
