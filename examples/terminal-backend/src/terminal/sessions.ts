/** All sessions: which belongs to whom, how many there may be, and when one has been silent for too long. */

import { log, quoted } from "../log.js";
import type { ClientMessage, ErrorReply, Sender, ServerMessage } from "../protocol.js";
import type { Store } from "../store/store.js";
import { Session, type SessionOptions } from "./session.js";

/** Milliseconds between two savings of a session, and of a connection. */
const SAVE_EVERY = { session: 1000, connection: 30_000 };

export interface SessionsOptions extends SessionOptions {
  store: Store;
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
  /** The next saving. */
  saving?: NodeJS.Timeout | undefined;
}

/** What is known of a connection. */
interface Connection {
  since: number;
  saved: number;
}

export class Sessions {
  readonly #entries = new Map<string, Entry>();
  readonly #connections = new Map<string, Connection>();
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
    this.#hear(sender);
    if (message.type === "ping") {
      const entry = this.#entries.get(key);
      entry?.session.hear(sender.connectionId);
      return { type: "pong", ...(message.id === undefined ? {} : { id: message.id }), timestamp: Date.now() };
    }
    if (this.#closed) return { type: "error", code: "shutting_down", message: "the backend ends: try again in a moment" };
    const entry = this.#entries.get(key) ?? (await this.#open(key, sender));
    return "session" in entry ? entry.session.answer(sender.connectionId, message) : entry;
  }

  /** A connection has ended; its session goes on. */
  disconnected(connectionId: string): void {
    for (const { session } of this.#entries.values()) session.detach(connectionId);
    this.#connections.delete(connectionId);
    void this.options.store.removeConnection(connectionId);
  }

  /** Ends the sessions that nobody was heard of for too long, and forgets connections that were not said to have ended. */
  async endIdle(now = Date.now()): Promise<void> {
    const limit = now - this.options.idleSeconds * 1000;
    for (const [connectionId, { saved }] of this.#connections) {
      if (saved < limit - SAVE_EVERY.connection) this.disconnected(connectionId);
    }
    const idle = [...this.#entries.values()].filter(({ session }) => session.heard < limit);
    for (const entry of idle) {
      log(`[Terminal] Session ended: ${quoted(entry.name)}, idle for ${this.options.idleSeconds} s`);
      void this.options.store.removeSession(entry.key);
    }
    await Promise.all(idle.map((entry) => this.#end(entry)));
  }

  /** Ends all of them; none begins after that. What the store has is left for the next process. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await Promise.all([...this.#entries.values()].map((entry) => this.#save(entry)));
    await Promise.all([...this.#entries.values()].map((entry) => this.#end(entry)));
  }

  #hear({ connectionId, sessionId, userId }: Sender): void {
    const now = Date.now();
    const known = this.#connections.get(connectionId) ?? { since: now, saved: 0 };
    this.#connections.set(connectionId, known);
    if (now - known.saved < SAVE_EVERY.connection) return;
    known.saved = now;
    void this.options.store.saveConnection(connectionId, { sessionId, userId, since: known.since, heard: now });
    const entry = this.#entries.get(keyOf({ sessionId, userId }));
    if (entry !== undefined) this.#saveSoon(entry);
  }

  #saveSoon(entry: Entry): void {
    entry.saving ??= setTimeout(() => void this.#save(entry), SAVE_EVERY.session);
  }

  async #save(entry: Entry): Promise<void> {
    clearTimeout(entry.saving);
    entry.saving = undefined;
    if (this.#entries.get(entry.key) !== entry) return;
    await this.options.store.saveSession(entry.key, entry.session.saved, this.options.idleSeconds);
  }

  async #open(key: string, { userId, sessionId }: Sender): Promise<Entry | ErrorReply> {
    const owner = JSON.stringify(userId);
    const own = [...this.#entries.values()].filter((entry) => entry.owner === owner).sort((one, other) => one.session.heard - other.session.heard);
    if (own.length >= this.options.maxSessionsPerUser) {
      // One that nobody is connected to any more makes room.
      const left = own.find(({ session }) => session.connections.length === 0);
      if (left === undefined) return tooMany(`you have ${own.length} sessions: close one, or wait until it is idle`);
      void this.options.store.removeSession(left.key);
      await this.#end(left);
    }
    if (this.#entries.size >= this.options.maxSessions) return tooMany("there are too many sessions: try again later");
    const saved = await this.options.store.session(key);
    const known = this.#entries.get(key); // made meanwhile, by another message
    if (known !== undefined) return known;
    const session = new Session(this.options, saved, () => {
      this.#saveSoon(entry);
    });
    const entry: Entry = { key, owner, name: sessionId, session };
    this.#entries.set(key, entry);
    return entry;
  }

  async #end(entry: Entry): Promise<void> {
    if (this.#entries.get(entry.key) === entry) this.#entries.delete(entry.key);
    await entry.session.end();
    clearTimeout(entry.saving);
  }
}

/** A session belongs to a user: the same name with another user is another session. */
function keyOf({ userId, sessionId }: Pick<Sender, "userId" | "sessionId">): string {
  return JSON.stringify([userId, sessionId]);
}

function tooMany(message: string): ErrorReply {
  return { type: "error", code: "too_many_sessions", message };
}
