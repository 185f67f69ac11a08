// The story of the plugin inside a real Gateway, chapter by chapter; `scripts/gateway-e2e` runs it.

import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { chapters } from "./chapters.mjs";
import { Gateway, isAlive } from "./gateway.mjs";
import { Model } from "./model.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
const { version, openclaw, keep, wanted } = options(process.argv.slice(2));

function options(words) {
  const result = { keep: false, wanted: [] };
  while (words.length) {
    const word = words.shift();
    if (word === "--version" || word === "--openclaw") result[word.slice(2)] = words.shift();
    else if (word === "--keep") result.keep = true;
    else result.wanted.push(word);
  }
  return result;
}

const model = await Model.open();
const gateway = new Gateway({ version, openclaw, model, root });
const figures = {};
const story = { gateway, model, root, figures };
const began = performance.now();
let failed = null;
try {
  for (const [name, chapter] of Object.entries(chapters)) {
    if (wanted.length && !wanted.includes(name)) continue;
    const since = performance.now();
    process.stdout.write(`${name} ... `);
    await chapter(story);
    console.log(`ok (${((performance.now() - since) / 1_000).toFixed(1)} s)`);
  }
} catch (error) {
  failed = error;
  console.log("FAILED");
  console.error(error);
  if (fs.existsSync(path.join(gateway.home, "gateway.out"))) console.error(gateway.lastOutput());
} finally {
  await gateway.stop("SIGKILL");
  const { lock } = gateway;
  if (lock && isAlive(lock.pid)) process.kill(lock.pid, "SIGKILL");
  model.close();
}
figures.wallSeconds = (performance.now() - began) / 1_000;
figures.cpuSeconds = cpuSeconds();
console.log(`\nOpenClaw ${version}`);
for (const [name, value] of Object.entries(figures)) console.log(`  ${name}: ${Math.round(value * 10) / 10}`);
if (keep) console.log(`kept: ${gateway.home}`);
else fs.rmSync(gateway.home, { recursive: true, force: true });
process.exit(failed ? 1 : 0);

/** Of this process and everything it waited for. */
function cpuSeconds() {
  const ticks = fs.readFileSync("/proc/self/stat", "utf8").split(") ")[1].split(" ").slice(11, 15);
  return ticks.reduce((sum, tick) => sum + Number(tick), 0) / 100;
}
