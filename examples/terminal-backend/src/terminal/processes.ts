/** The processes of a terminal, by /proc. Where there is none (macOS), only the shell itself is known, and it is ended by its terminal. */

import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Whose processes: those of a user, or those that carry a mark in the environment that they were started with. */
export type Whose = { uid: number } | { mark: string };

/** Ends them, and those that they start meanwhile. */
export async function endProcesses(whose: Whose): Promise<void> {
  for (let round = 0; round < 50; round += 1) {
    const found = processes(whose);
    if (found.length === 0) return;
    for (const id of found) kill(id);
    await sleep(10);
  }
}

/** Whether there are any. */
export function hasProcesses(whose: Whose): boolean {
  return processes(whose).length > 0;
}

/** How many threads a user has, in all processes: what a limit of processes counts. */
export function threadsOf(uid: number | undefined): number {
  if (uid === undefined) return 0;
  const counts = processes({ uid }).map((id) => Number(/^Threads:\s*(\d+)/m.exec(read(`/proc/${id}/status`))?.[1] ?? 0));
  return counts.reduce((sum, count) => sum + count, 0);
}

function processes(whose: Whose): number[] {
  let names: string[];
  try {
    names = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
  const belongs = (id: string) =>
    "uid" in whose ? uidOf(id) === whose.uid : read(`/proc/${id}/environ`).split("\0").includes(`TERMINAL_PLACE=${whose.mark}`);
  return names.filter((id) => isAlive(id) && belongs(id)).map(Number);
}

/** A process that has ended and that nobody has asked for (a zombie) takes no more signals. */
function isAlive(id: string): boolean {
  return !["", "Z", "X"].includes(/\) (\w)/.exec(read(`/proc/${id}/stat`))?.[1] ?? "");
}

/** The real user id. The owner of the folder is root where the program may not be read. */
function uidOf(id: string): number | undefined {
  const found = /^Uid:\s*(\d+)/m.exec(read(`/proc/${id}/status`))?.[1];
  return found === undefined ? undefined : Number(found);
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // it has ended
  }
}

function kill(id: number): void {
  try {
    process.kill(id, "SIGKILL");
  } catch {
    // it has ended
  }
}
