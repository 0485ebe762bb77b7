/**
 * A WebSocket that stays connected: for browsers, to an API Gateway WebSocket API with wsfix's handler behind it.
 *
 * One file, no dependencies, no build step: copy it. It connects, pings so that the gateway's ten idle minutes never pass, connects anew
 * with growing pauses, changes to a new connection before the two hours of one are over, joins messages in parts, and says what happens.
 * It never repeats a message: whether the backend has acted on it cannot be known. What was left unanswered is told.
 */

/** Milliseconds. `timing` of the options changes single ones. */
export const TIMING = Object.freeze({
  /** For the token and the handshake together. */
  connect: 20_000,
  /** Between pings. API Gateway ends a connection after ten minutes without data; pings of the protocol do not count, and browsers send none. */
  ping: 30_000,
  /** For an answer to the ping that asks whether the connection is alive still, after the network came back. */
  probe: 5_000,
  /** The pause before the first new attempt; it doubles up to `longestPause`, and half of it is chance. */
  firstPause: 500,
  longestPause: 30_000,
  /** A connection that held so long was a good one: pauses begin anew. */
  stable: 10_000,
  /** The age at which a connection is replaced unless the handler says so before; up to `spread` sooner. The gateway's limit is 120 minutes. */
  oldest: 115 * 60_000,
  spread: 5 * 60_000,
  /** So long before a token expires, the connection is replaced by one with a new token; but not before it is `youngest`. */
  renew: 15_000,
  youngest: 30_000,
  /** No answer comes later: an integration of API Gateway has 29 s. */
  answer: 30_000,
  /** A replaced connection is kept so long at least: what was on its way to it arrives. */
  linger: 2_000,
  /** Parts of a message that never became whole are thrown away. */
  parts: 60_000,
});

/** The largest message in one piece, in bytes: a frame of API Gateway has 32 KB, and browsers do not split messages. */
const LARGEST = 32_000;

/**
 * @typedef {{ [member: string]: unknown }} Message
 * @typedef {"idle" | "connecting" | "open" | "waiting" | "offline" | "stopped"} Phase
 * @typedef {"first" | "again" | "rollover"} Connected
 *   `rollover`: the session goes on without a break; `again`: after a break, in which what was pushed may be lost
 * @typedef {{ phase: Phase, text: string }} State   `text` is for people
 * @typedef {{ code: number, reason: string, text: string }} Closed   `text` explains the code
 * @typedef {{ code: string, message: string, unanswered?: Message[], requestId?: string }} Trouble
 *   `code` is one of the handler's (docs/handler.md), or: `token`, `refused`, `timeout`, `url`, `gateway`, `not_json`, `too_large`, `incomplete`, `unanswered`
 * @typedef {() => string | Promise<string>} TokenProvider
 *
 * @typedef {object} Options
 * @property {string} url   `wss://{api}.execute-api.{region}.amazonaws.com/{stage}`; the rest is added
 * @property {string} [sessionId]   may be left out where the token names the session
 * @property {string | TokenProvider} token   a function is asked for a new one at every connection
 * @property {"subprotocol" | "query"} [tokenIn]   out of the URL (the default), where no log has it; or in it
 * @property {"token" | "ticket"} [credential]   what `token` is: a JWT (the default) or a one-shot ticket
 * @property {boolean} [renew]   a new connection before the token expires, if a new one is to be had; on unless it is `false`
 * @property {boolean} [parts]   large messages in parts, both ways; on unless it is `false`
 * @property {boolean} [sequence]   a `seq` in every message, to notice what is not answered; on unless it is `false`
 * @property {Message} [ping]   what is sent as a ping
 * @property {Partial<typeof TIMING>} [timing]
 * @property {(message: Message) => void} [onMessage]
 * @property {(how: Connected) => void} [onConnect]
 * @property {(closed: Closed) => void} [onDisconnect]
 * @property {(trouble: Trouble) => void} [onError]
 * @property {(state: State) => void} [onState]
 */

/** One connection. It knows what was sent on it and what came, not what to do about it. */
class Link {
  /** @type {Map<string, { pieces: string[], have: number, since: number }>} */
  parts = new Map();
  /** Messages without an answer yet, by their `seq`. @type {Map<number, { message: Message, at: number }>} */
  waiting = new Map();
  heard = Date.now();
  /** Something came: the backend knows this connection. */
  spoke = false;
  /** Once it was replaced: when it is closed at the latest. */
  until = Infinity;

  /** @param {WebSocket} socket */
  constructor(socket) {
    this.socket = socket;
  }

  /** The whole text; `null` as long as parts are missing. @param {Message} part */
  join(part) {
    const { id, index, count, data } = part;
    const valid = typeof id === "string" && typeof data === "string" && Number.isInteger(index) && Number.isInteger(count);
    if (!valid || Number(index) < 0 || Number(index) >= Number(count)) return null;
    const text = this.parts.get(id) ?? { pieces: [], have: 0, since: Date.now() };
    if (text.pieces[Number(index)] === undefined) text.have += 1;
    text.pieces[Number(index)] = data;
    this.parts.set(id, text);
    if (text.have < Number(count)) return null;
    this.parts.delete(id);
    return text.pieces.join("");
  }

  /** Stops listening, and closes. @param {number} [code] @param {string} [reason] */
  end(code, reason) {
    this.socket.onopen = this.socket.onmessage = this.socket.onclose = this.socket.onerror = null;
    this.socket.close(code, reason);
  }
}

export class GatewaySocket {
  /** Where messages are sent. @type {Link | null} */
  #link = null;
  /** The attempt that runs; a later one makes it void. @type {{ link?: Link } | null} */
  #attempt = null;
  /** Connections that were replaced, and whose last answers may still come. @type {Set<Link>} */
  #replaced = new Set();
  /** @type {Map<string, ReturnType<typeof setTimeout>>} */
  #timers = new Map();
  #failures = 0;
  #connections = 0;
  /** What the last connection was made with. */
  #token = "";
  #sequence = 0;
  /** The handler gives `seq` back: that an answer is missing can be noticed. */
  #echoes = false;
  /** @type {State} */
  #state = { phase: "idle", text: "not connected" };

  /** @param {Options} options */
  constructor(options) {
    this.options = options;
    this.timing = { ...TIMING, ...options.timing };
  }

  /** @returns {State} */
  get state() {
    return this.#state;
  }

  /** Connects, and stays connected until `stop`. */
  start() {
    if (this.#state.phase !== "idle" && this.#state.phase !== "stopped") return;
    globalThis.addEventListener?.("online", this.#online);
    globalThis.addEventListener?.("offline", this.#offline);
    this.#failures = 0;
    void this.#connect();
  }

  /** Ends it for good; `start` begins anew. @param {string} [reason] */
  stop(reason = "bye") {
    globalThis.removeEventListener?.("online", this.#online);
    globalThis.removeEventListener?.("offline", this.#offline);
    for (const name of [...this.#timers.keys()]) this.#after(name, null);
    this.#attempt?.link?.end();
    const links = [this.#link, ...this.#replaced];
    this.#attempt = this.#link = null;
    this.#replaced.clear();
    for (const link of links) link?.end(1000, reason);
    if (links[0]) this.options.onDisconnect?.({ code: 1000, reason, text: explain(1000) });
    this.#say("stopped", "disconnected");
  }

  /** Sends a message. `false`: there is no connection, or it is too large; it was not sent and will not be. @param {Message} message */
  send(message) {
    const link = this.#link;
    if (!link || link.socket.readyState !== 1) return false;
    const numbered = this.options.sequence === false ? message : { ...message, seq: ++this.#sequence };
    const text = JSON.stringify(numbered);
    const large = new TextEncoder().encode(text).length > LARGEST;
    if (large && this.options.parts === false) {
      this.#trouble("too_large", "a message over 32 KB can only be sent in parts");
      return false;
    }
    for (const piece of large ? split(text) : [text]) link.socket.send(piece);
    if (numbered !== message) link.waiting.set(this.#sequence, { message, at: Date.now() });
    return true;
  }

  /** Goes on in a new connection, and closes the old one when its last answers are there. @param {string} [resume] the old one's id */
  rollOver(resume) {
    if (this.#link && !this.#attempt) void this.#connect(resume);
  }

  /** One attempt. The connection there is, if any, is used until the new one is open. @param {string} [resume] */
  async #connect(resume) {
    const attempt = (this.#attempt = /** @type {{ link?: Link }} */ ({}));
    const stale = () => this.#attempt !== attempt;
    this.#after("retry", null);
    if (!this.#link) this.#say("connecting", "connecting");
    this.#after("connect", this.timing.connect, () => this.#failed(resume, "timeout", `no connection within ${this.timing.connect / 1000} s`));
    let token;
    try {
      token = await (typeof this.options.token === "function" ? this.options.token() : this.options.token);
      if (!token) throw new Error("there is none");
    } catch (error) {
      if (!stale()) this.#failed(resume, "token", `no token to connect with: ${words(error)}`);
      return;
    }
    if (stale()) return;
    let socket;
    try {
      socket = this.#handshake(token, resume);
    } catch (error) {
      this.#trouble("url", `the WebSocket URL cannot be used: ${words(error)}`);
      this.stop();
      return;
    }
    const link = (attempt.link = new Link(socket));
    socket.onopen = () => this.#opened(link, token);
    socket.onclose = (event) => this.#failed(resume, "refused", explain(event.code, false));
  }

  /** @param {string} token @param {string} [resume] */
  #handshake(token, resume) {
    const { url, sessionId, credential = "token", tokenIn = "subprotocol", parts } = this.options;
    const query = { sessionId, parts: parts === false ? undefined : "1", resume, [credential]: tokenIn === "query" ? token : undefined };
    let target = url;
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) target += `${target.includes("?") ? "&" : "?"}${name}=${encodeURIComponent(value)}`;
    }
    const protocols = tokenIn === "query" ? [] : [credential === "ticket" ? "wsfix.ticket" : "wsfix.jwt", token];
    return new WebSocket(target, protocols);
  }

  /** @param {Link} link @param {string} token */
  #opened(link, token) {
    const old = this.#link;
    this.#attempt = null;
    this.#link = link;
    link.heard = Date.now();
    link.socket.onmessage = (event) => this.#received(link, event.data);
    link.socket.onclose = (event) => this.#closed(link, event);
    this.#after("connect", null);
    this.#after("stable", this.timing.stable, () => (this.#failures = 0));
    this.#after("age", Math.min(this.timing.oldest - Math.random() * this.timing.spread, this.#renewal(token)), () => this.rollOver());
    if (old) {
      old.until = Date.now() + this.timing.answer;
      this.#replaced.add(old);
      this.#after("linger", this.timing.linger, () => this.#settle());
      this.#after("drain", this.timing.answer, () => this.#settle());
    }
    this.#ping(); // The backend learns of this connection, and we whether numbers come back.
    this.#connections += 1;
    this.#say("open", "connected");
    this.options.onConnect?.(old ? "rollover" : this.#connections > 1 ? "again" : "first");
  }

  /** After how long a connection needs a new token. @param {string} token */
  #renewal(token) {
    // The same one again: there is no new one to be had.
    const renews = this.options.renew !== false && token !== this.#token;
    this.#token = token;
    return renews ? Math.max(lifetime(token) - this.timing.renew, this.timing.youngest) : Infinity;
  }

  /** @param {string | undefined} resume @param {string} code @param {string} message */
  #failed(resume, code, message) {
    this.#attempt?.link?.end();
    this.#attempt = null;
    this.#after("connect", null);
    this.#retry(message, resume);
    this.#trouble(code, message);
  }

  /** Another attempt, after a pause. @param {string} why @param {string} [resume] */
  #retry(why, resume) {
    const longest = Math.min(this.timing.firstPause * 2 ** this.#failures, this.timing.longestPause);
    const offline = globalThis.navigator?.onLine === false;
    // What the browser says of the network is a hint: a server on this machine is there without one.
    const pause = offline ? this.timing.longestPause : longest / 2 + (Math.random() * longest) / 2;
    this.#failures += 1;
    this.#after("retry", pause, () => void this.#connect(resume));
    if (this.#link) return;
    if (offline) this.#say("offline", "no network; connecting when it is back");
    else this.#say("waiting", `${why}; trying again in ${(pause / 1000).toFixed(1)} s`);
  }

  /** @param {Link} link @param {CloseEvent} event */
  #closed(link, event) {
    const text = explain(event.code);
    this.#replaced.delete(link);
    if (link === this.#link) {
      this.#link = null;
      for (const name of ["ping", "probe", "stable", "age"]) this.#after(name, null);
      // The old connection may end while the new one is on its way.
      if (this.#attempt) this.#say("connecting", "connecting");
      else this.#retry(`disconnected: ${text}`);
      this.options.onDisconnect?.({ code: event.code, reason: event.reason, text });
    }
    this.#unanswered([...link.waiting.values()]);
  }

  /** @param {Link} link @param {unknown} data */
  #received(link, data) {
    link.heard = Date.now();
    link.spoke = true;
    if (link === this.#link) this.#after("probe", null);
    let message;
    try {
      message = JSON.parse(String(data));
      if (message?.type === "wsfix.part") {
        const whole = link.join(message);
        if (whole === null) return;
        message = JSON.parse(whole);
      }
    } catch {
      this.#trouble("not_json", "a message came that is not JSON");
      return;
    }
    if (link.waiting.delete(message?.seq)) this.#echoes = true;
    if (this.#replaced.size > 0) this.#settle();
    if (message?.type === "wsfix.reconnect") {
      if (link === this.#link) this.#after("age", 1000 * Number(message.afterSeconds ?? 0), () => this.rollOver(message.resume));
      return;
    }
    this.#warned(link, message);
    this.options.onMessage?.(message);
  }

  /** What the handler or the gateway says went wrong. @param {Link} link @param {Message} message */
  #warned(link, message) {
    const { type, code, message: text, requestId } = message ?? {};
    // API Gateway's own errors have no type.
    const gateway = type === undefined && typeof text === "string" && typeof requestId === "string";
    if (type !== "error" && !gateway) return;
    const renew = code === "auth_expired" || code === "unknown_connection";
    if (renew && link === this.#link && !this.#attempt && !this.#timers.has("retry")) this.#retry("");
    this.#trouble(gateway ? "gateway" : String(code), String(text), requestId === undefined ? {} : { requestId: String(requestId) });
  }

  /** Closes replaced connections that have nothing more to bring. */
  #settle() {
    // As soon as the new one has answered, the backend does not use the old one any more.
    const quiet = this.#echoes && this.#link?.spoke && !this.#timers.has("linger");
    for (const link of this.#replaced) {
      if (Date.now() < link.until && !(quiet && link.waiting.size === 0)) continue;
      this.#replaced.delete(link);
      link.end(1000, "replaced");
      this.#unanswered([...link.waiting.values()]);
    }
  }

  #ping() {
    const link = this.#link;
    if (!link) return;
    const now = Date.now();
    for (const [id, { since }] of link.parts) {
      if (now - since < this.timing.parts) continue;
      link.parts.delete(id);
      this.#trouble("incomplete", "parts of a message are missing");
    }
    const late = [...link.waiting].filter(([, { at }]) => now - at > this.timing.answer);
    for (const [sequence] of late) link.waiting.delete(sequence);
    this.#unanswered(late.map(([, waiting]) => waiting));
    this.send(this.options.ping ?? { type: "ping" });
    this.#after("ping", this.timing.ping, () => {
      if (link.heard < now) this.#dead(link);
      else this.#ping();
    });
  }

  /** Nothing came since the last ping: the connection is gone, though nobody said so. @param {Link} link */
  #dead(link) {
    link.end();
    this.#closed(link, /** @type {CloseEvent} */ ({ code: 1006, reason: "no answer" }));
  }

  #online = () => {
    const link = this.#link;
    if (link) {
      this.send(this.options.ping ?? { type: "ping" });
      this.#after("probe", this.timing.probe, () => this.#dead(link));
    } else if (!this.#attempt) {
      this.#failures = 0;
      void this.#connect();
    }
  };

  #offline = () => {
    if (this.#state.phase === "waiting") this.#say("offline", "no network; connecting when it is back");
  };

  /** @param {{ message: Message }[]} waiting */
  #unanswered(waiting) {
    const ping = this.options.ping?.["type"] ?? "ping";
    const unanswered = waiting.map(({ message }) => message).filter(({ type }) => type !== ping);
    if (!this.#echoes || unanswered.length === 0) return;
    const count = unanswered.length === 1 ? "a message was" : `${unanswered.length} messages were`;
    this.#trouble("unanswered", `${count} not answered; the backend may have acted all the same`, { unanswered });
  }

  /** @param {string} code @param {string} message @param {Partial<Trouble>} [more] */
  #trouble(code, message, more) {
    this.options.onError?.({ code, message, ...more });
  }

  /** @param {Phase} phase @param {string} text */
  #say(phase, text) {
    this.#state = { phase, text };
    this.options.onState?.(this.#state);
  }

  /** Sets the timer of this name, in place of the one before; `null` only ends that. @param {string} name @param {number | null} ms @param {() => void} [then] */
  #after(name, ms, then) {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
    if (ms === null) return;
    const fire = () => {
      this.#timers.delete(name);
      then?.();
    };
    this.#timers.set(name, setTimeout(fire, ms));
  }
}

/** How many texts were sent in parts. */
let texts = 0;

/** A text as messages that each fit a frame. @param {string} text */
function split(text) {
  const pieces = [""];
  let size = 0;
  for (const letter of text) {
    const more = letter >= " " && letter < "\x80" && letter !== '"' && letter !== "\\" ? 1 : 6; // bytes as JSON, at most
    if (size + more > LARGEST) {
      pieces.push("");
      size = 0;
    }
    pieces[pieces.length - 1] += letter;
    size += more;
  }
  const id = `m${++texts}`;
  return pieces.map((data, index) => JSON.stringify({ type: "wsfix.part", id, index, count: pieces.length, data }));
}

/** Milliseconds for which a token or ticket allows messages, as far as it says so. @param {string} token @returns {number} */
function lifetime(token) {
  try {
    const { iat, exp, authUntil } = JSON.parse(atob((token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/")));
    const end = token.startsWith("wst1.") ? authUntil : exp;
    // Clocks differ: what the issuer says of its own is right.
    const seconds = Math.min(end - Date.now() / 1000, Number.isFinite(iat) ? end - iat : Infinity);
    return Number.isFinite(seconds) ? seconds * 1000 : Infinity;
  } catch {
    return Infinity;
  }
}

/** What a close code means. @param {number} code @param {boolean} [opened] whether the handshake had succeeded */
export function explain(code, opened = true) {
  if (!opened) {
    return "the handshake was refused, or there is no way to the server. Browsers hide which: 401 (token), 403 (session or origin) and 429 (too many) look alike; the handler's log says it";
  }
  const known = new Map([
    [1000, "closed normally"],
    [1001, "the gateway ended it: ten minutes without data, two hours in all, or the API is gone"],
    [1003, "binary data is not supported"],
    [1005, "closed without a code"],
    [1006, "the connection was lost"],
    [1007, "the text was not UTF-8"],
    [1008, "against the server's policy"],
    [1009, "a frame over 32 KB, or a message over 128 KB"],
    [1011, "an error of the server"],
  ]);
  return known.get(code) ?? `closed with code ${code}`;
}

/** @param {unknown} error */
function words(error) {
  return error instanceof Error ? error.message : String(error);
}
