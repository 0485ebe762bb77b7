// The page, as somebody sees it who sits before it.

const PATIENCE = 30_000;

export class Screen {
  /** Lines of the browser's console. */
  console = [];
  /** WebSockets that the page opened. */
  sockets = [];

  constructor(page) {
    this.page = page;
    page.setDefaultTimeout(PATIENCE);
    page.on("console", (line) => this.console.push(line.text()));
    page.on("pageerror", (error) => this.console.push(`error: ${error.message}`));
    page.on("websocket", (socket) => {
      const seen = { socket, pongs: 0, sent: [], received: [] };
      socket.on("framesent", ({ payload }) => seen.sent.push(JSON.parse(String(payload)).type));
      socket.on("framereceived", ({ payload }) => {
        const message = JSON.parse(String(payload));
        seen.received.push(message);
        if (message.type === "pong") seen.pongs += 1;
      });
      this.sockets.push(seen);
    });
  }

  /** How many messages of this type the page sent. */
  sent(type) {
    return this.sockets.flatMap(({ sent }) => sent).filter((sent) => sent === type).length;
  }

  async text() {
    return (await this.page.locator(".xterm-rows > div").allTextContents()).map((row) => row.replaceAll("\u00a0", " ").trimEnd()).join("\n");
  }

  /** Waits for a condition, which is tried again and again. */
  async until(what, condition) {
    const end = Date.now() + PATIENCE;
    for (;;) {
      const seen = await condition();
      if (seen) return seen;
      if (Date.now() > end) throw new Error(`not within ${PATIENCE / 1000} s: ${what}\n--- the screen\n${await this.text()}\n--- the head\n${await this.head()}\n--- the console\n${this.console.slice(-15).join("\n")}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  shows(pattern) {
    return this.until(`the screen shows ${pattern}`, async () => (await this.text()).match(pattern));
  }

  head() {
    return this.page.locator("header").innerText();
  }

  says(pattern) {
    return this.until(`the head says ${pattern}`, async () => (await this.head()).match(pattern));
  }

  /** Waits until the connection is in one of these phases. */
  phase(...wanted) {
    const state = this.page.locator(".state");
    return this.until(wanted.join(" or "), async () => wanted.includes((await state.count()) > 0 ? await state.getAttribute("data-phase") : ""));
  }

  connects() {
    return this.phase("open");
  }

  /** An empty prompt in the last line that has anything. */
  prompt() {
    return this.until("a prompt", async () => /(^|\n|\s)\$$/.test((await this.text()).trimEnd()));
  }

  /** Types a command after the prompt. */
  async type(line) {
    await this.prompt();
    await this.page.keyboard.type(line);
    await this.page.keyboard.press("Enter");
  }

  /** Types a command, and waits for what it prints and for the next prompt. */
  async run(line, pattern) {
    await this.type(line);
    const found = await this.shows(pattern);
    await this.prompt();
    return found;
  }
}
