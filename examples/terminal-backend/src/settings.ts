/** The environment, as checked values. */

/** How the backend is set up; `.env.example` says what each variable means. */
export interface Settings {
  host: string;
  port: number;
  signingKeys: string[];
  redisUrl: string | null;
  managementUrl: string | null;
  idleSeconds: number;
  commandSeconds: number;
  outputKb: number;
  maxSessions: number;
  maxSessionsPerUser: number;
  logCommands: boolean;
}

/** Something in the environment is wrong. The message names every variable, and no value of a secret. */
export class SettingsError extends Error {}

/** An empty variable counts as not set. */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): Settings {
  const wrong: string[] = [];
  const text = (name: string) => environment[name]?.trim() ?? "";
  const number = (name: string, least: number, most: number, otherwise: number) => {
    if (text(name) === "") return otherwise;
    const value = Number(text(name));
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    wrong.push(`${name} must be a whole number from ${least} to ${most}`);
    return otherwise;
  };
  const url = (name: string, protocols: string[]) => {
    if (text(name) === "") return null;
    // The value is not shown: a URL may hold a password.
    if (URL.canParse(text(name)) && protocols.includes(new URL(text(name)).protocol)) return text(name);
    wrong.push(`${name} must be a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(" or ")}`);
    return null;
  };
  const flag = (name: string) => {
    if (!["", "true", "false"].includes(text(name))) wrong.push(`${name} must be true or false`);
    return text(name) === "true";
  };

  const signingKeys = text("WSFIX_SIGNING_KEY").split(",").map((key) => key.trim());
  if (signingKeys.length > 2 || signingKeys.some((key) => Buffer.byteLength(key) < 32)) {
    wrong.push("WSFIX_SIGNING_KEY must be one key, or two separated by a comma, of at least 32 bytes: openssl rand -hex 32");
  }
  const settings: Settings = {
    host: text("HOST") || "127.0.0.1",
    port: number("PORT", 0, 65_535, 8080),
    signingKeys,
    redisUrl: url("REDIS_URL", ["redis:", "rediss:"]),
    managementUrl: url("MANAGEMENT_URL", ["https:", "http:"]),
    idleSeconds: number("IDLE_SECONDS", 1, 86_400, 900),
    commandSeconds: number("COMMAND_SECONDS", 1, 86_400, 300),
    outputKb: number("OUTPUT_KB", 16, 102_400, 1024),
    maxSessions: number("MAX_SESSIONS", 1, 1000, 50),
    maxSessionsPerUser: number("MAX_SESSIONS_PER_USER", 1, 1000, 5),
    logCommands: flag("LOG_COMMANDS"),
  };
  if (wrong.length > 0) throw new SettingsError(wrong.join("\n"));
  return settings;
}
