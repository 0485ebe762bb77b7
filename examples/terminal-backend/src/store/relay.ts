/**
 * The other processes of this backend. A shell lives in one of them, and a load balancer gives messages to any: what comes to the wrong one is
 * handed over.
 */

import { randomUUID } from "node:crypto";
import { isObject, LONGEST_WAIT, parseObject, parseMessage, parseSender, type ClientMessage, type Sender, type ServerMessage } from "../protocol.js";
import { PREFIX, type RedisLink } from "./redis-link.js";

/** Seconds that a session is a process's own after it last said so, and between two times. */
export const CLAIM = { lasts: 30, every: 10 };
/** Milliseconds beyond the longest wait of a message. */
const MORE = 3000;

/** What a process does with what is handed over to it. */
export interface Receiver {
  answer(sender: Sender, message: ClientMessage): Promise<ServerMessage | null>;
  disconnected(connectionId: string): void;
}

export interface Relay {
  /** Says who does the work here. */
  start(receiver: Receiver): void;
  /** The other process that has a session; null: there is none, or it is not known. */
  owner(key: string): Promise<string | null>;
  /** Makes a session this process's own, or says whose it is. Where nobody can be asked it is our own. */
  claim(key: string): Promise<string | null>;
  release(key: string): Promise<void>;
  /** Hands a message over. `"gone"`: that process is there no more, and has the session no more; `"silent"`: it does not answer. */
  hand(owner: string, key: string, sender: Sender, message: ClientMessage): Promise<ServerMessage | null | "gone" | "silent">;
  /** Tells all others that a connection has ended. */
  tell(connectionId: string): void;
}

/** One process alone. */
export const NO_RELAY: Relay = {
  start: () => undefined,
  owner: () => Promise.resolve(null),
  claim: () => Promise.resolve(null),
  release: () => Promise.resolve(),
  hand: () => Promise.resolve("gone"),
  tell: () => undefined,
};

/** By Redis: who has access to that is trusted. */
export class RedisRelay implements Relay {
  readonly #id = randomUUID();
  readonly #waiting = new Map<string, (answer: ServerMessage | null) => void>();
  #receiver: Receiver | undefined;

  constructor(private readonly link: RedisLink) {}

  start(receiver: Receiver): void {
    this.#receiver = receiver;
    this.link.listen(`process:${this.#id}`, (text) => void this.#heard(text));
    this.link.listen("ended", (connectionId) => {
      receiver.disconnected(connectionId);
    });
  }

  async owner(key: string): Promise<string | null> {
    const owner = await this.link.ask((client) => client.get(`${PREFIX}owner:${key}`));
    return typeof owner === "string" && owner !== this.#id ? owner : null;
  }

  async claim(key: string): Promise<string | null> {
    const name = `${PREFIX}owner:${key}`;
    const expiration = { type: "EX", value: CLAIM.lasts } as const;
    if ((await this.link.ask((client) => client.set(name, this.#id, { condition: "NX", expiration }))) !== null) return null;
    const owner = await this.owner(key);
    if (owner === null) await this.link.ask((client) => client.expire(name, CLAIM.lasts));
    return owner;
  }

  async release(key: string): Promise<void> {
    if ((await this.link.ask((client) => client.get(`${PREFIX}owner:${key}`))) === this.#id) await this.#forget(key);
  }

  async hand(owner: string, key: string, sender: Sender, message: ClientMessage): Promise<ServerMessage | null | "gone" | "silent"> {
    const id = randomUUID();
    let timer: NodeJS.Timeout | undefined;
    const answer = new Promise<ServerMessage | null | "silent">((resolve) => {
      timer = setTimeout(() => {
        resolve("silent");
      }, LONGEST_WAIT + MORE);
      this.#waiting.set(id, resolve);
    });
    try {
      const receivers = await this.#publish(owner, { id, from: this.#id, sender, message });
      if (receivers === undefined) return "silent";
      if (receivers > 0) return await answer;
      await this.#forget(key);
      return "gone";
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  tell(connectionId: string): void {
    void this.link.ask((client) => client.publish(`${PREFIX}ended`, connectionId));
  }

  async #forget(key: string): Promise<void> {
    await this.link.ask((client) => client.del(`${PREFIX}owner:${key}`));
  }

  #publish(process: string, value: object): Promise<number | undefined> {
    return this.link.ask((client) => client.publish(`${PREFIX}process:${process}`, JSON.stringify(value)));
  }

  async #heard(text: string): Promise<void> {
    const heard = parseObject(text);
    if (heard === null || typeof heard["id"] !== "string") return;
    const { id, from, sender, message, answer } = heard;
    if (typeof from !== "string") {
      this.#waiting.get(id)?.(answer as ServerMessage | null);
      return;
    }
    const [who, what] = [isObject(sender) ? parseSender(sender) : null, isObject(message) ? parseMessage(message) : null];
    if (who === null || what === null || what.type === "error" || this.#receiver === undefined) return;
    await this.#publish(from, { id, answer: await this.#receiver.answer(who, what) });
  }
}
