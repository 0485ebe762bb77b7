/** Sessions as the tests need them. */

import { setTimeout as sleep } from "node:timers/promises";
import type { ClientMessage, CommandResult, Sender, ServerMessage } from "../src/protocol.js";
import { NO_PUSH } from "../src/push.js";
import { NO_RELAY } from "../src/store/relay.js";
import { NoStore } from "../src/store/store.js";
import { Confinement } from "../src/terminal/confinement.js";
import { Sessions, type SessionsOptions } from "../src/terminal/sessions.js";

export const ADA: Sender = { connectionId: "c1=", sessionId: "s1", userId: "ada" };

/** Sessions with real shells. Ended by `end`. */
export class World {
  readonly confinement = new Confinement();
  readonly sessions: Sessions;

  constructor(options: Partial<SessionsOptions> = {}) {
    const { confinement } = this;
    const limits = { commandSeconds: 60, outputKb: 1024, logCommands: false, idleSeconds: 900, maxSessions: 10, maxSessionsPerUser: 3 };
    this.sessions = new Sessions({ confinement, push: NO_PUSH, store: new NoStore(), relay: NO_RELAY, ...limits, ...options });
  }

  async ask(message: ClientMessage, sender = ADA): Promise<ServerMessage> {
    const answer = await this.sessions.ask(sender, message);
    if (answer === null) throw new Error(`${message.type} was answered with nothing`);
    return answer;
  }

  /** Runs a command to its end. */
  async run(command: string, more: { cwd?: string; sender?: Sender } = {}): Promise<CommandResult> {
    const { sender, ...rest } = more;
    const answer = await this.ask({ type: "command", command, wait: 15_000, ...rest }, sender);
    if (answer.type !== "command_result") throw new Error(JSON.stringify(answer));
    return answer;
  }

  /** Sends keys and asks for what follows, until the command has ended: its result, and all text beyond `from`. */
  async finish(keys: string, from: number, sender = ADA): Promise<{ result: CommandResult; text: string }> {
    let answer = await this.sessions.ask(sender, { type: "input", data: keys });
    for (let text = ""; ; answer = await this.ask({ type: "poll", offset: from + text.length }, sender)) {
      if (answer === null) continue;
      if (answer.type === "output") text += answer.data;
      else if (answer.type === "command_result") return { result: answer, text: text + answer.output };
      else throw new Error(JSON.stringify(answer));
    }
  }

  async end(): Promise<void> {
    await this.sessions.close();
    this.confinement.remove();
  }
}

/** Waits until something is so. */
export async function until(so: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let tries = 0; tries < 1000; tries += 1) {
    if (await so()) return;
    await sleep(10);
  }
  throw new Error(`still not so: ${what}`);
}
