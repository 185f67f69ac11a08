// Where the sidecar keeps its store, and the lock file beside it that tells how to reach it.

import fs from "node:fs";
import os from "node:os";
import path from "node:path";

const NAME = "sidecar.json";

/** The folder of the store: the configured one, else the state folder's. Null for a database URL. */
export function storeFolder(store, stateDir) {
  if (!store) return path.join(stateDir, "voice-calls");
  if (store.includes("://")) return null;
  const home = store === "~" || store.startsWith("~/");
  const file = path.resolve(home ? path.join(os.homedir(), store.slice(1)) : store);
  return store.endsWith("/") || isFolder(file) ? file : path.dirname(file);
}

/** `{pid, url, tokenFile}` of the running sidecar, or null. */
export function readLock(folder) {
  try {
    const { pid, url, tokenFile } = JSON.parse(fs.readFileSync(path.join(folder, NAME), "utf8"));
    return Number.isInteger(pid) && typeof url === "string" && isAlive(pid)
      ? { pid, url, tokenFile: tokenFile ?? null }
      : null;
  } catch {
    // No file, or one that is being replaced: nobody to reach, for now.
    return null;
  }
}

export function readToken(file) {
  return fs.readFileSync(file, "utf8").trim();
}

export function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function isFolder(file) {
  return fs.statSync(file, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
