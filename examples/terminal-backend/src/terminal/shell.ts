/** A bash on a pseudo-terminal, which runs one command line after the other. */

import { spawn, type IPty } from "@lydell/node-pty";
import type { Place } from "./confinement.js";
import { MarkReader, type Mark } from "./marker.js";

const BASH = "/bin/bash";
const CTRL_C = "\u0003";

/** What a shell tells. Directories below its home begin with `~`. */
export interface ShellEvents {
  /** It has begun, in this directory. */
  ready(cwd: string): void;
  /** It printed something. */
  text(data: string): void;
  /** The command ended. */
  done(mark: Mark): void;
  /** The shell ended; nothing follows. */
  closed(exitCode: number): void;
}

export class Shell {
  readonly #pty: IPty;
  readonly #reader: MarkReader;
  /** Whether it has read its start file. */
  #ready = false;
  /** What was to be run before that. */
  #early: string | null = null;
  readonly #exited: Promise<void>;

  /** `cwd`: where to begin, if that is there. Throws where no process or terminal can be had. */
  constructor(
    private readonly place: Place,
    { cols, rows, cwd }: { cols: number; rows: number; cwd: string },
    private readonly events: ShellEvents,
  ) {
    this.#reader = new MarkReader(place.name);
    // Echo is off between commands, and a command line comes as a file: the text holds what commands print, and nothing of how they are started.
    this.#pty = spawn(BASH, ["--noprofile", "--noediting", "--rcfile", place.startFile, "-i"], {
      name: "xterm-256color",
      cols,
      rows,
      cwd: place.home,
      env: { ...place.environment, wsfix_cwd: this.#long(cwd) },
      ...place.user,
    });
    this.#pty.onData((data) => {
      this.#read(data);
    });
    this.#exited = new Promise((resolve) => {
      this.#pty.onExit(({ exitCode, signal }) => {
        events.closed(signal ? 128 + signal : exitCode);
        resolve();
      });
    });
  }

  /** Runs a command line; the one before it must have ended. */
  run(command: string, cwd: string | undefined): void {
    const change = cwd === undefined ? "" : `cd -- '${this.#long(cwd).replaceAll("'", `'\\''`)}' || return\n`;
    const line = `stty echo; . '${this.place.writeCommand(`${change}${command}\n`)}'\n`;
    if (this.#ready) this.#pty.write(line);
    else this.#early = line;
  }

  /** Keys for the program that runs. */
  input(data: string): void {
    this.#pty.write(data);
  }

  /** Ctrl-C: a program may ignore it. */
  interrupt(): void {
    this.#pty.write(CTRL_C);
  }

  resize(cols: number, rows: number): void {
    try {
      this.#pty.resize(cols, rows);
    } catch {
      // it has ended
    }
  }

  /** Ends it with all that it has started. */
  async end(): Promise<void> {
    try {
      this.#pty.kill("SIGKILL");
    } catch {
      // it has ended
    }
    await Promise.all([this.place.endAll(), this.#exited]);
  }

  #read(data: string): void {
    for (const found of this.#reader.read(data)) {
      if (typeof found === "string") this.events.text(found);
      else if (this.#ready) this.events.done({ ...found, cwd: this.#short(found.cwd) });
      else this.#begin(found.cwd);
    }
  }

  #long(cwd: string): string {
    return cwd === "~" || cwd.startsWith("~/") ? `${this.place.home}${cwd.slice(1)}` : cwd;
  }

  /** A directory as people write it. */
  #short(cwd: string): string {
    const { home } = this.place;
    return cwd === home || cwd.startsWith(`${home}/`) ? `~${cwd.slice(home.length)}` : cwd;
  }

  #begin(cwd: string): void {
    this.#ready = true;
    this.events.ready(this.#short(cwd));
    if (this.#early !== null) this.#pty.write(this.#early);
    this.#early = null;
  }
}
