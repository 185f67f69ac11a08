// "Connect your Gateway": the commands of gateway-plugin/README.md, as they stand there.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";

import { settings } from "./kit.mjs";

const BLOCK = /<!-- connect -->\n```bash\n([\s\S]*?)```/;

/** The five commands, each as the words of a shell line. */
function commands(root) {
  const text = fs.readFileSync(path.join(root, "gateway-plugin/README.md"), "utf8");
  const lines = BLOCK.exec(text)[1].trim().split("\n");
  assert.equal(lines.length, 5);
  return lines.map((line) => line.replace(/\s+#.*$/, ""));
}

export async function connect({ gateway, root, figures }) {
  await gateway.configure();
  const bin = path.join(gateway.home, "bin");
  fs.mkdirSync(bin);
  // `openclaw` as an installation would have it on the PATH.
  fs.writeFileSync(path.join(bin, "openclaw"), gateway.launcher, { mode: 0o755 });
  const env = { ...gateway.environment, PATH: `${bin}:${process.env.PATH}` };
  const run = (line) => execFileSync("bash", ["-c", line], { cwd: root, env, encoding: "utf8", stdio: "pipe" });
  const [setup, pack, install, configure, check] = commands(root);
  // What 2026.9 asks for with a file of this machine; see below the commands.
  const consent = gateway.isOld ? "" : " --force --accept-capabilities";
  for (const line of [setup, pack, install + consent, configure]) run(line);
  figures.startSeconds = (await gateway.start()) / 1_000;
  const result = JSON.parse(run(check));
  assert.equal(result.ok, true);
  assert.equal(result.provider, "mock");
  const skills = await gateway.cli(["skills", "list", "--json"]);
  assert.match(skills.stdout + skills.stderr, /"voice-call"/, "the skill was not found");
}

/** A configuration of the bundled plugin, unchanged; then the one of the other chapters. */
export async function bundledConfiguration({ gateway, root }) {
  await gateway.stop();
  const file = path.join(root, "gateway-plugin/test/support/bundled.json");
  const bundled = JSON.parse(fs.readFileSync(file, "utf8"));
  const { sidecar } = settings(root);
  gateway.settings = { ...bundled, sidecar };
  await gateway.start();
  const client = await gateway.client();
  const { provider } = await client.request("voicecall.setup");
  assert.equal(provider, "mock");
  await gateway.stop();
  gateway.settings = settings(root);
  await gateway.start();
}
