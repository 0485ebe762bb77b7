/** All sessions: which belongs to whom, how many there may be, and when one has been silent for too long. */

import { log, quoted, warn } from "../log.js";
import type { ClientMessage, ErrorReply, Sender, ServerMessage } from "../protocol.js";
import { CLAIM, type Receiver, type Relay } from "../store/relay.js";
import type { Store } from "../store/store.js";
import { Session, type SessionOptions } from "./session.js";

/** Milliseconds between two savings of a session, and of a connection. */
const SAVE_EVERY = { session: 1000, connection: 30_000 };

const SHUTTING_DOWN: ErrorReply = { type: "error", code: "shutting_down", message: "the backend ends: try again in a moment" };

export interface SessionsOptions extends SessionOptions {
  store: Store;
  relay: Relay;
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

export class Sessions implements Receiver {
  readonly #entries = new Map<string, Entry>();
  readonly #connections = new Map<string, Connection>();
  readonly #timers: NodeJS.Timeout[];
  #closed = false;

  constructor(private readonly options: SessionsOptions) {
    this.#timers = [
      setInterval(() => void this.endIdle(), Math.min(options.idleSeconds * 250, 30_000)).unref(),
      setInterval(() => void this.#claimAll(), CLAIM.every * 1000).unref(),
    ];
    options.relay.start(this);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Answers a message wherever its session is; null: there is nothing to say. */
  async ask(sender: Sender, message: ClientMessage): Promise<ServerMessage | null> {
    const key = keyOf(sender);
    if (this.#entries.has(key)) return this.answer(sender, message);
    if (this.#closed) return SHUTTING_DOWN;
    const { relay } = this.options;
    // A ping makes no session.
    for (let tries = 0; tries < 3; tries += 1) {
      const owner = message.type === "ping" ? await relay.owner(key) : await relay.claim(key);
      if (owner === null) return this.answer(sender, message);
      const answer = await relay.hand(owner, key, sender, message);
      if (answer === "silent") break;
      if (answer !== "gone") return answer;
    }
    return { type: "error", code: "unavailable", message: "the process that has this session does not answer: try again in a moment" };
  }

  /** Answers a message here; null: there is nothing to say. */
  async answer(sender: Sender, message: ClientMessage): Promise<ServerMessage | null> {
    const key = keyOf(sender);
    this.#hear(sender);
    if (message.type === "ping") {
      this.#entries.get(key)?.session.hear(sender.connectionId);
      return { type: "pong", ...(message.id === undefined ? {} : { id: message.id }), timestamp: Date.now() };
    }
    if (this.#closed) return SHUTTING_DOWN;
    const entry = this.#entries.get(key) ?? (await this.#open(key, sender));
    return "session" in entry ? entry.session.answer(sender.connectionId, message) : entry;
  }

  /** A connection has ended; its session goes on, wherever it is. */
  ended(connectionId: string): void {
    this.disconnected(connectionId);
    void this.options.store.removeConnection(connectionId);
    this.options.relay.tell(connectionId);
  }

  /** A connection has ended, whose session may be here. */
  disconnected(connectionId: string): void {
    for (const { session } of this.#entries.values()) session.detach(connectionId);
    this.#connections.delete(connectionId);
  }

  /** Ends the sessions that nobody was heard of for too long, and forgets connections that were not said to have ended. */
  async endIdle(now = Date.now()): Promise<void> {
    const limit = now - this.options.idleSeconds * 1000;
    for (const [connectionId, { saved }] of this.#connections) {
      if (saved < limit - SAVE_EVERY.connection) this.ended(connectionId);
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
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all([...this.#entries.values()].map((entry) => this.#save(entry)));
    await Promise.all([...this.#entries.values()].map((entry) => this.#end(entry)));
  }

  /** Says that the sessions are ours; one that another process took, while Redis was away, is ended here. */
  async #claimAll(): Promise<void> {
    for (const entry of [...this.#entries.values()]) {
      if ((await this.options.relay.claim(entry.key)) === null || this.#entries.get(entry.key) !== entry) continue;
      warn(`[Terminal] Session ended: ${quoted(entry.name)}, another process has it too`);
      await this.#end(entry);
    }
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

  async #open(key: string, sender: Sender): Promise<Entry | ErrorReply> {
    const opened = await this.#make(key, sender);
    if (!("session" in opened)) void this.options.relay.release(key);
    return opened;
  }

  async #make(key: string, { userId, sessionId }: Sender): Promise<Entry | ErrorReply> {
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
    await this.options.relay.release(entry.key);
  }
}

/** A session belongs to a user: the same name with another user is another session. */
function keyOf({ userId, sessionId }: Pick<Sender, "userId" | "sessionId">): string {
  return JSON.stringify([userId, sessionId]);
}

function tooMany(message: string): ErrorReply {
  return { type: "error", code: "too_many_sessions", message };
}
